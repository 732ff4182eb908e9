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
    await expectAnswer(engine[0].startsWith('docker') ? 'docker' : 'podman')
    return engine
  }
  if (Bun.which('docker') !== null)
    throw new Failure('notFound', 'docker is here, its compose plugin is not', 'install docker-compose-plugin')
  if (Bun.which('podman') !== null)
    throw new Failure('notFound', 'podman is here, and nothing that composes', 'install podman-compose')
  throw new Failure('notFound', 'neither docker nor podman is installed', 'install one of them, with compose')
}

/** Said where it lies: older versions of podman-compose know no `--project-directory`, and all look for `.env` there. */
const composeFile = ['-f', 'docker-compose.yml']

const remedies = {
  docker: {
    asleep: 'start it: sudo systemctl start docker, or Docker Desktop',
    forbidden: 'you may not use it: sudo usermod -aG docker "$USER", then log in again',
  },
  podman: {
    asleep: 'where it runs in a machine: podman machine start',
    forbidden: 'see that you may use it: podman info',
  },
} as const

async function expectAnswer(program: keyof typeof remedies): Promise<void> {
  // Compose alone may be there, and speak to a daemon elsewhere.
  if (Bun.which(program) === null) return
  const { code, stderr } = await run([program, 'info', '--format', 'json'])
  if (code === 0) return
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  // Warnings, such as of its own settings, may come first.
  const reason = lines.find((line) => /^permission denied|^cannot connect/i.test(line)) ?? lines[0] ?? `exit ${code}`
  const { asleep, forbidden } = remedies[program]
  const remedy = /permission denied/i.test(reason) ? forbidden : asleep
  throw new Failure('unavailable', `${program} does not answer: ${reason.trim()}`, remedy)
}

/** Runs compose on the stack of a folder, in front of the person. Throws a Failure when it fails. */
export async function compose(engine: Engine, folder: string, args: readonly string[]): Promise<void> {
  const child = Bun.spawn([...engine, ...composeFile, ...args], {
    cwd: folder,
    stdio: ['inherit', 'inherit', 'inherit'],
  })
  const code = await child.exited
  if (code !== 0)
    throw new Failure('unavailable', `${engine.join(' ')} ${args.join(' ')} ended with ${code}`, 'see above')
}

/** What compose prints when it is asked; undefined where it cannot say. */
export async function askCompose(
  engine: Engine,
  folder: string,
  args: readonly string[],
): Promise<Pick<Ended, 'stdout' | 'stderr'> | undefined> {
  const ended = await run([...engine, ...composeFile, ...args], folder)
  return ended.code === 0 ? ended : undefined
}

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function run(command: readonly string[], cwd?: string): Promise<Ended> {
  const stdio = ['ignore', 'pipe', 'pipe'] as const
  const child = Bun.spawn([...command], { ...(cwd === undefined ? {} : { cwd }), stdio: [...stdio] })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, stdout, stderr }
}
