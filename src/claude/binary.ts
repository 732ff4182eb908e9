/**
 * Finds the user's claude: CLAUDE_BIN, PATH, then the usual install places; never this program itself.
 * It stands between the user and claude's start, so it does without `node:fs`, which takes 0.9 ms to load.
 */
import { delimiter, join } from 'node:path'
import { Failure } from '../base/errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

const isWindows = process.platform === 'win32'
const names = isWindows ? ['claude.exe', 'claude.cmd'] : ['claude']

/** Where Claude Code's installers put it, below the home folder and elsewhere. */
const installPlaces = [
  '.local/bin',
  '.claude/local',
  '.claude/local/node_modules/.bin',
  '.npm-global/bin',
  '.bun/bin',
  'bin',
]
const systemPlaces = ['/usr/local/bin', '/opt/homebrew/bin', '/usr/bin', '/home/linuxbrew/.linuxbrew/bin']

/** Absolute path of claude. Fails with kind `notFound` or `notExecutable`, which are the shell's 127 and 126. */
export function findClaude(env: Environment, self: string): string {
  const own = identify(self)
  const named = env.CLAUDE_BIN
  if (named) return requireExecutable(named, own, env)
  const folders = [
    ...(env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''),
    ...(env.HOME ? installPlaces.map((place) => join(env.HOME ?? '', place)) : []),
    ...(isWindows ? [] : systemPlaces),
  ]
  for (const folder of folders) {
    for (const name of names) {
      const candidate = join(folder, name)
      if (Bun.which(candidate) !== null && identify(candidate) !== own) return candidate
    }
  }
  throw new Failure(
    'notFound',
    'claude was not found: not on PATH, nor where it is usually installed',
    'install Claude Code (npm install -g @anthropic-ai/claude-code), or set CLAUDE_BIN to its path',
  )
}

function requireExecutable(named: string, own: number | undefined, env: Environment): string {
  const path = Bun.which(named, { PATH: env.PATH ?? '' })
  const source = `CLAUDE_BIN is "${named}"`
  if (path === null && !isFile(named)) {
    throw new Failure('notFound', `${source}, and no such file is there`, 'set it to the path of claude, or unset it')
  }
  if (path === null) {
    throw new Failure('notExecutable', `${source}, which cannot be executed`, `chmod +x ${named}, or unset CLAUDE_BIN`)
  }
  if (identify(path) === own) {
    throw new Failure('notFound', `${source}, which is claude-otel itself`, 'set it to the path of claude, or unset it')
  }
  return path
}

/**
 * Links, hard links and copies of this program named `claude` are all this program: a native binary of exactly the same size
 * is no other one, and two copies that took each other for claude would never end.
 */
function identify(path: string): number | undefined {
  return Bun.file(path).size || undefined
}

/** Asked only when claude cannot be run: time does not matter then. */
function isFile(path: string): boolean {
  return process.getBuiltinModule('node:fs').statSync(path, { throwIfNoEntry: false })?.isFile() === true
}
