/** Which commit the sources are of, as git tells it. */
import { realpathSync } from 'node:fs'

export interface Revision {
  /** The first twelve digits of the commit, with `-dirty` behind it if the tree is not that commit's. */
  readonly commit: string
  /** When it was committed, in seconds since 1970. */
  readonly committedAt: number
}

/** The revision of the repository whose top is `root`; undefined where that is no repository, or there is no git. */
export function readRevision(root: string): Revision | undefined {
  const top = git(root, ['rev-parse', '--show-toplevel'])
  if (top === undefined || realpathSync(top) !== realpathSync(root)) return undefined
  const head = git(root, ['log', '-1', '--format=%H %ct'])
  const [hash, time] = head?.split(' ') ?? []
  if (hash === undefined || time === undefined) return undefined
  const isDirty = git(root, ['status', '--porcelain']) !== ''
  return { commit: `${hash.slice(0, 12)}${isDirty ? '-dirty' : ''}`, committedAt: Number(time) }
}

function git(root: string, args: readonly string[]): string | undefined {
  if (Bun.which('git') === null) return undefined
  // Inside a git hook these name another repository than the one at hand.
  const { GIT_DIR: _dir, GIT_WORK_TREE: _tree, GIT_INDEX_FILE: _index, ...env } = process.env
  const { exitCode, stdout } = Bun.spawnSync(['git', '-C', root, ...args], { env, stdin: 'ignore', stderr: 'ignore' })
  return exitCode === 0 ? stdout.toString().trim() : undefined
}
