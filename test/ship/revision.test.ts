/** Which commit a build says that it is of. */
import { afterAll, beforeEach, expect, test } from 'bun:test'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readRevision } from '../../scripts/revision.ts'
import { must } from './kit.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-revision-'))
afterAll(() => rmSync(root, { recursive: true }))

let repository = ''
let hash = ''
beforeEach(async () => {
  repository = realpathSync(mkdtempSync(join(root, 'repository-')))
  writeFileSync(join(repository, 'a'), 'a')
  const env = { PATH: process.env.PATH ?? '', HOME: root, GIT_COMMITTER_DATE: '1700000000 +0000' }
  const git = (...args: string[]) =>
    must(['git', '-C', repository, '-c', 'user.name=Mia', '-c', 'user.email=mia@example.com', ...args], { env })
  await git('init', '--quiet')
  await git('add', 'a')
  await git('commit', '--quiet', '--message=One')
  hash = (await git('rev-parse', 'HEAD')).slice(0, 12)
})

test('a clean tree is of its commit, at its time', () => {
  expect(readRevision(repository)).toEqual({ commit: hash, committedAt: 1_700_000_000 })
})

test.each(['a', 'b'])('with %s changed or new it is not quite', (file) => {
  writeFileSync(join(repository, file), 'else')
  expect(readRevision(repository)?.commit).toBe(`${hash}-dirty`)
})

test('sources without a repository have none, also within the repository of others', () => {
  const within = join(repository, 'vendor')
  mkdirSync(within)
  cpSync(join(repository, 'a'), join(within, 'a'))
  expect(readRevision(within)).toBeUndefined()
  expect(readRevision(root)).toBeUndefined()
})
