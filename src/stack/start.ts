/** A stack from nothing to proven: containers, their health, the schema, signals that came through. */
import { createConnection } from 'node:net'
import { Failure } from '../base/errors.ts'
import { askCompose, compose, type Engine, findEngine } from './engine.ts'
import { type Part, partsOf, waitForParts } from './health.ts'
import { clickhouseOf, proveStack } from './proof.ts'
import { publishedPorts, type StackSettings } from './settings.ts'

const proofMs = 60_000
/** Of each part that does not get ready, what it said last. */
const lastLines = 10

/** Rejects with a Failure that says which part it was, and what to do. `tell` is given a line for a person now and then. */
export async function startStack(
  folder: string,
  settings: StackSettings,
  limitMs: number,
  tell: (line: string) => void,
): Promise<void> {
  const engine = await findEngine()
  await expectFreePorts(engine, folder, settings)
  await compose(engine, folder, ['up', '--detach', '--remove-orphans'])
  const late = await waitForParts(partsOf(settings), limitMs, tell)
  if (late.size > 0) throw await describeLate(engine, folder, late)
  await bringUpToDate(settings, tell)
}

async function bringUpToDate(settings: StackSettings, tell: (line: string) => void): Promise<void> {
  // Its client is large.
  const [{ openClickHouse }, { migrateClickHouse }] = await Promise.all([
    import('../store/clickhouse-client.ts'),
    import('../store/clickhouse-migrate.ts'),
  ])
  const clickhouse = openClickHouse(clickhouseOf(settings))
  try {
    const found = await migrateClickHouse(clickhouse, settings.keptDays)
    tell(`  the schema is up to date (it was version ${found})`)
    await proveStack(settings, clickhouse, proofMs)
  } finally {
    await clickhouse.close()
  }
}

/** Of a stack that does not run yet: what listens there then is somebody else. */
async function expectFreePorts(engine: Engine, folder: string, settings: StackSettings): Promise<void> {
  const running = await askCompose(engine, folder, ['ps', '--quiet'])
  if (running?.stdout.trim() !== '') return
  const ports = publishedPorts(settings)
  const isTaken = await Promise.all(ports.map(({ port }) => listens(port)))
  const taken = ports.filter((_, at) => isTaken[at]).map(({ variable, port }) => `${port} (${variable})`)
  if (taken.length > 0)
    throw new Failure(
      'unavailable',
      `somebody else listens at 127.0.0.1: ${taken.join(', ')}`,
      'give the stack other ports in its .env, then `claude-otel stack init`; a hub ends with `claude-otel serve --stop`',
    )
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    const end = (is: boolean) => {
      socket.destroy()
      resolve(is)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

async function describeLate(engine: Engine, folder: string, late: ReadonlyMap<Part, string>): Promise<Failure> {
  const problems = [...late].map(([{ name, url }, problem]) => `${name} at ${url} ${problem}`)
  const words = [...late.keys()].map(async ({ name, service }) => {
    const said = await askCompose(engine, folder, ['logs', `--tail=${lastLines}`, service])
    // Podman's has what a container wrote to stderr on its own.
    const lines = `${said?.stdout ?? ''}${said?.stderr ?? ''}`.split('\n').filter((line) => line.trim() !== '')
    return lines.length === 0 ? [] : [`the last that ${name} said:`, ...lines.map((line) => `  ${line.trimEnd()}`)]
  })
  const hint = [...(await Promise.all(words)).flat(), 'see `claude-otel stack logs`']
  return new Failure('unavailable', problems.join('; '), hint.join('\n'))
}
