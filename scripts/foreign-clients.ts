/**
 * Senders of OTLP that the OpenTelemetry SDKs of other languages make: their sources stand in test/hub/foreign, their dependencies,
 * each pinned, come from PyPI and from Go modules, once into the user's cache.
 */
import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cachedBuild, runIn } from './cache.ts'

export const FOREIGN = join(import.meta.dir, '..', 'test', 'hub', 'foreign')

if (import.meta.main) console.log((await foreignObstacle()) ?? [await pythonBinary(), await goClient()].join('\n'))

/** What is missing on this machine to build them, and how to get it. */
export async function foreignObstacle(): Promise<string | undefined> {
  if (!Bun.which('go')) return 'Go is not installed: apt-get install golang'
  const python = Bun.which('python3')
  if (!python) return 'Python is not installed: apt-get install python3 python3-venv'
  const venv = Bun.spawnSync([python, '-c', 'import venv, ensurepip'], { stdout: 'ignore', stderr: 'ignore' })
  return venv.exitCode === 0 ? undefined : 'Python has no venv: apt-get install python3-venv'
}

/** A Python that has the SDK and its exporters. Throws with what pip said when they cannot be had. */
export async function pythonBinary(): Promise<string> {
  const requirements = join(FOREIGN, 'requirements.txt')
  const home = await cachedBuild('python', [await readFile(requirements, 'utf8')], async (folder) => {
    console.log('Installing the OpenTelemetry SDK of Python (once) …')
    await runIn(folder, ['python3', '-m', 'venv', '.'])
    await runIn(folder, [join(folder, 'bin', 'python'), '-m', 'pip', 'install', '-q', '--no-deps', '-r', requirements])
  })
  return join(home, 'bin', 'python')
}

/** The sender in Go. Throws with what the compiler said when it cannot be built. */
export async function goClient(): Promise<string> {
  const sources = join(FOREIGN, 'go')
  const names = (await readdir(sources)).sort()
  const parts = await Promise.all(names.map((name) => readFile(join(sources, name), 'utf8')))
  const home = await cachedBuild('go-client', parts, async (folder) => {
    console.log('Building a client with the OpenTelemetry SDK of Go (once, a minute) …')
    await cp(sources, folder, { recursive: true })
    await runIn(folder, ['go', 'build', '-o', 'client', '.'], { GOFLAGS: '-mod=readonly' })
  })
  return join(home, 'client')
}
