/** Repository, branch and commit from git's files, as git itself lays them out. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { readRepository as readMasked } from '../../src/session/repository.ts'
import { keeperOf } from '../kit/keeper.ts'

const readRepository = (folder: string) => readMasked(folder, keeperOf(256).mask)

const root = mkdtempSync(join(tmpdir(), 'claude-otel-repository-'))
afterAll(() => rmSync(root, { recursive: true }))

const commit = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'
const other = 'a'.repeat(40)
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(root, 'case-'))
})

function put(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

function git(git: string, { head = 'ref: refs/heads/main', url = '', packed = '' } = {}): void {
  put(`${git}/HEAD`, `${head}\n`)
  put(`${git}/refs/heads/.keep`, '')
  put(
    `${git}/config`,
    `[core]\n\tbare = false\n[remote "upstream"]\n\turl = https://wrong.example/a/b\n${url === '' ? '' : `[remote "origin"]\n\turl = ${url}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n`}[branch "main"]\n\tremote = origin\n`,
  )
  if (packed !== '') put(`${git}/packed-refs`, `# pack-refs with: peeled fully-peeled sorted\n${packed}\n`)
}

const onMain = { 'vcs.ref.head.name': 'main', 'vcs.ref.head.type': 'branch' }

describe('a working folder', () => {
  test('of a plain repository has its branch and commit, also deep below', () => {
    git('repo/.git')
    put('repo/.git/refs/heads/main', `${commit}\n`)
    mkdirSync(join(folder, 'repo/src/deep'), { recursive: true })
    const expected = { ...onMain, 'vcs.ref.head.revision': commit }
    expect(readRepository(join(folder, 'repo'))).toEqual(expected)
    expect(readRepository(join(folder, 'repo/src/deep'))).toEqual(expected)
    expect(readRepository(join(folder, 'repo/that/is/not/there'))).toEqual(expected)
  })

  test('with a detached head has a commit and no branch', () => {
    git('repo/.git', { head: commit })
    expect(readRepository(join(folder, 'repo'))).toEqual({ 'vcs.ref.head.revision': commit })
  })

  test('on a branch without a commit has no commit', () => {
    git('repo/.git')
    expect(readRepository(join(folder, 'repo'))).toEqual(onMain)
  })

  test('with packed refs has the commit of its own branch', () => {
    git('repo/.git', { packed: `${other} refs/heads/feature/main\n${commit} refs/heads/main\n^${other}` })
    expect(readRepository(join(folder, 'repo'))).toEqual({ ...onMain, 'vcs.ref.head.revision': commit })
  })

  test('whose loose ref is newer than the packed one has the loose one', () => {
    git('repo/.git', { packed: `${other} refs/heads/main` })
    put('repo/.git/refs/heads/main', commit)
    expect(readRepository(join(folder, 'repo'))['vcs.ref.head.revision']).toBe(commit)
  })

  test('of a linked worktree has its own branch and the main repository’s origin', () => {
    git('repo/.git', { url: 'https://github.com/owner/name.git' })
    put('repo/.git/refs/heads/main', other)
    put('repo/.git/refs/heads/side', commit)
    put('repo/.git/worktrees/wt/HEAD', 'ref: refs/heads/side\n')
    put('repo/.git/worktrees/wt/commondir', '../..\n')
    put('wt/.git', `gitdir: ${join(folder, 'repo/.git/worktrees/wt')}\n`)
    expect(readRepository(join(folder, 'wt'))).toMatchObject({
      'vcs.ref.head.name': 'side',
      'vcs.ref.head.revision': commit,
      'vcs.repository.name': 'name',
    })
  })

  test('of a submodule has the submodule’s own', () => {
    git('repo/.git', { url: 'https://github.com/owner/outer.git' })
    git('repo/.git/modules/inner', { head: commit, url: '../inner.git' })
    put('repo/inner/.git', 'gitdir: ../.git/modules/inner\n')
    const attributes = readRepository(join(folder, 'repo/inner'))
    expect(attributes['vcs.ref.head.revision']).toBe(commit)
    expect(JSON.stringify(attributes)).not.toContain('outer')
  })

  test('in no repository has nothing', () => {
    expect(readRepository(folder)).toEqual({})
  })

  test('with a .git that cannot be read has nothing, and nothing is thrown', () => {
    put('pointless/.git', 'gitdir: ../nowhere\n')
    put('empty/.git', '')
    mkdirSync(join(folder, 'hollow/.git'), { recursive: true })
    mkdirSync(join(folder, 'loop'))
    symlinkSync('.git', join(folder, 'loop/.git'))
    put('file', '')
    for (const name of ['pointless', 'empty', 'hollow', 'loop', 'file', 'file/below', 'x'.repeat(5000), 'nul\0byte']) {
      expect(readRepository(join(folder, name))).toEqual({})
    }
  })
})

describe('the origin', () => {
  const expected = (host: string, owner: string, name: string, provider?: string) => ({
    ...onMain,
    'vcs.repository.url.full': `https://${host}/${owner}/${name}`,
    'vcs.repository.name': name,
    'vcs.owner.name': owner,
    ...(provider === undefined ? {} : { 'vcs.provider.name': provider }),
  })

  test.each([
    ['https://github.com/owner/name.git', expected('github.com', 'owner', 'name', 'github')],
    ['https://github.com/owner/name', expected('github.com', 'owner', 'name', 'github')],
    ['https://github.com/owner/name/', expected('github.com', 'owner', 'name', 'github')],
    ['https://user:pa55@gitlab.com/group/sub/name.git', expected('gitlab.com', 'group/sub', 'name', 'gitlab')],
    ['https://ghp_token@github.com/owner/name.git', expected('github.com', 'owner', 'name', 'github')],
    ['git@github.com:owner/name.git', expected('github.com', 'owner', 'name', 'github')],
    ['ssh://git@host.example:2222/owner/name.git', expected('host.example', 'owner', 'name')],
    ['git://host.example/owner/name', expected('host.example', 'owner', 'name')],
    ['git+ssh://git@bitbucket.org/owner/name', expected('bitbucket.org', 'owner', 'name', 'bitbucket')],
    ['host.example:owner/name', expected('host.example', 'owner', 'name')],
  ])('%s is told as a plain URL', (url, attributes) => {
    git('.git', { url })
    expect(readRepository(folder)).toEqual(attributes)
  })

  test.each([
    'https://user:hunter2@host.example/owner/name.git',
    'https://user:hun@hunter2@host.example/owner/name.git',
    'https://hunter2@host.example/owner/name.git',
    'https://:hunter2@host.example/owner/name.git',
    'https://user:hunter2@host.example:8443/owner/name.git',
    'ssh://user:hunter2@host.example/owner/name.git',
    'user:hunter2@host.example:owner/name.git',
    'https://user:x/hunter2@host.example/owner/name.git',
    'https://host.example/owner/name.git?access_token=hunter2',
  ])('%s never shows its password', (url) => {
    git('.git', { url })
    expect(JSON.stringify(readRepository(folder))).not.toContain('hunter2')
  })

  test.each(['/srv/git/name.git', '../name.git', 'file:///srv/git/name.git', 'C:\\repos\\name'])(
    '%s, on this machine, is no URL to tell',
    (url) => {
      git('.git', { url })
      expect(readRepository(folder)).not.toHaveProperty(['vcs.repository.url.full'])
    },
  )
})

test('a secret in a branch’s name is masked', () => {
  git('.git', { head: `ref: refs/heads/fix/ghp_${'Ab1'.repeat(12)}` })
  expect(readRepository(folder)['vcs.ref.head.name']).toBe('fix/[REDACTED:github-token]')
})

test('a secret in the origin’s path is masked in all that is told of it', () => {
  git('.git', { url: `https://host.example/ghp_${'Ab1'.repeat(12)}/name.git` })
  expect(readRepository(folder)['vcs.owner.name']).toBe('[REDACTED:github-token]')
  expect(JSON.stringify(readRepository(folder))).not.toContain('Ab1')
})
