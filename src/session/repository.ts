/**
 * Which repository, branch and commit a folder is at, from git's own files. No git process: that would run with the
 * configuration of somebody else's working directory.
 */
import { readFileSync, type Stats, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { AttributeSet } from '../telemetry/attributes.ts'
import type { Attributes } from '../telemetry/signal.ts'

/** The `vcs.*` attributes, masked; empty where the folder is in no repository. */
export function readRepository(folder: string, mask: (text: string) => string): Attributes {
  const git = findGitFolder(folder)
  if (git === undefined) return {}
  // A linked worktree has its own HEAD, and everything else in the main repository.
  const common = resolve(git, read(join(git, 'commondir'))?.trim() ?? '.')
  const head = read(join(git, 'HEAD'))?.trim() ?? ''
  const branchRef = /^ref: (refs\/heads\/.+)$/.exec(head)?.[1]
  const revision = branchRef === undefined ? head : resolveRef(common, branchRef)
  const attributes: AttributeSet = {
    ...originAttributes(read(join(common, 'config')) ?? '', mask),
    ...(branchRef === undefined
      ? {}
      : { 'vcs.ref.head.name': mask(branchRef.slice('refs/heads/'.length)), 'vcs.ref.head.type': 'branch' }),
    ...(revision && /^[0-9a-f]{40,64}$/.test(revision) ? { 'vcs.ref.head.revision': revision } : {}),
  }
  return attributes as Attributes
}

function findGitFolder(folder: string): string | undefined {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const candidate = join(at, '.git')
    const stat = look(candidate)
    if (stat?.isDirectory()) return candidate
    const linked = stat?.isFile() ? /^gitdir: (.+)$/m.exec(read(candidate) ?? '')?.[1] : undefined
    if (linked !== undefined) return resolve(at, linked)
    if (dirname(at) === at) return undefined
  }
}

function resolveRef(common: string, ref: string): string | undefined {
  const loose = read(join(common, ref))?.trim()
  if (loose) return loose
  const packed = read(join(common, 'packed-refs')) ?? ''
  return packed
    .split('\n')
    .find((line) => line.endsWith(` ${ref}`))
    ?.split(' ')[0]
}

function originAttributes(config: string, mask: (text: string) => string): AttributeSet {
  const section = /^\[remote "origin"\]([^[]*)/m.exec(config)?.[1] ?? ''
  const url = /^\s*url\s*=\s*(.+)$/m.exec(section)?.[1]?.trim()
  const parts = url === undefined ? undefined : parseRemote(url)
  if (parts === undefined) return {}
  const [host, path] = [mask(parts.host), mask(parts.path)]
  const segments = path.split('/').filter((segment) => segment !== '')
  const name = segments.at(-1)
  const owner = segments.slice(0, -1).join('/')
  const provider = ['github', 'gitlab', 'gitea', 'bitbucket'].find((word) => host.includes(word))
  return {
    'vcs.repository.url.full': `https://${host}/${path}`,
    ...(name === undefined ? {} : { 'vcs.repository.name': name }),
    ...(owner === '' ? {} : { 'vcs.owner.name': owner }),
    ...(provider === undefined ? {} : { 'vcs.provider.name': provider }),
  }
}

/**
 * `https://user:token@host/owner/name.git`, `git@host:owner/name.git`, `ssh://git@host:22/owner/name`: never credentials, and
 * nothing at all where an `@` is left over, or for a path of this machine.
 */
function parseRemote(url: string): { host: string; path: string } | undefined {
  const match =
    /^(?!file:)[a-z+]+:\/\/(?:[^/]*@)?([^/:@]+)(?::\d+)?\/([^?#]+?)(?:\.git)?\/?(?:[?#].*)?$/i.exec(url) ??
    /^(?:[^/]*@)?([^/:@\\]{2,}):(?!\/\/)([^?#\\]+?)(?:\.git)?\/?$/.exec(url)
  const [, host, path] = match ?? []
  return host === undefined || path === undefined || path.includes('@') ? undefined : { host, path }
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
