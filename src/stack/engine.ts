/** The program that runs containers: Docker's compose or Podman's, whichever is there. */
import { Failure } from '../base/errors.ts'

/** A command that takes compose's arguments. */
export type Engine = readonly [string, ...string[]]

const candidates: readonly Engine[] = [
  ['docker', 'compose'],
  ['docker-compose'],
  ['podman', 'compose'],
  ['podman-compose'],
]

/** Throws a Failure ('notFound', 'unavailable') that says precisely what is missing. */
export async function findEngine(): Promise<Engine> {
  for (const engine of candidates) {
    if (Bun.which(engine[0]) === null || (await run([...engine, 'version'])).code !== 0) continue
    await expectDaemon(engine[0])
    return engine
  }
  if (Bun.which('docker') !== null)
    throw new Failure('notFound', 'docker is here, its compose plugin is not', 'install docker-compose-plugin')
  if (Bun.which('podman') !== null)
    throw new Failure('notFound', 'podman is here, and nothing that composes', 'install podman-compose')
  throw new Failure('notFound', 'neither docker nor podman is installed', 'install one of them, with compose')
}

async function expectDaemon(program: string): Promise<void> {
  if (!program.startsWith('docker')) return
  const { code, stderr } = await run(['docker', 'info', '--format', '{{.ServerVersion}}'])
  if (code === 0) return
  const [reason = ''] = stderr.trim().split('\n')
  throw new Failure('unavailable', `docker does not answer: ${reason}`, 'start it, and see that you may use it')
}

/** Runs compose on the stack of a folder, in front of the person. Throws a Failure when it fails. */
export async function compose(engine: Engine, folder: string, args: readonly string[]): Promise<void> {
  const command = [...engine, '-f', `${folder}/docker-compose.yml`, '--project-directory', folder, ...args]
  const child = Bun.spawn(command, { stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' })
  const code = await child.exited
  if (code !== 0)
    throw new Failure('unavailable', `${engine.join(' ')} ${args.join(' ')} ended with ${code}`, 'see above')
}

async function run(command: readonly string[]): Promise<{ readonly code: number; readonly stderr: string }> {
  const child = Bun.spawn([...command], { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
  const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
  return { code, stderr }
}
