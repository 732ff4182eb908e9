/** `claude-otel stack`: ClickHouse, a Collector, Loki and Grafana as containers, from files that a person can read. */
import { dirname, join } from 'node:path'
import { Failure } from '../base/errors.ts'
import { configFilePath } from '../base/paths.ts'
import { readEnvironment } from '../config/environment.ts'
import { compose, findEngine } from '../stack/engine.ts'
import { type FileChange, initStack, openStack } from '../stack/folder.ts'
import { partsOf, problemOf } from '../stack/health.ts'
import type { StackSettings } from '../stack/settings.ts'
import { startStack } from '../stack/start.ts'
import { defineOurCommand } from './command.ts'
import { align } from './table.ts'

const actions = ['init', 'up', 'down', 'status', 'logs'] as const
type Action = (typeof actions)[number]

/** Images are fetched before; this is for databases that start. */
const readyMs = 180_000

export default defineOurCommand({
  meta: { name: 'stack', description: 'ClickHouse, a Collector, Loki and Grafana as containers on this machine.' },
  words: actions,
  args: {
    action: { type: 'positional', required: true, description: `${actions.join(', ')}` },
    service: { type: 'positional', required: false, description: 'Of logs: clickhouse, collector, loki or grafana.' },
    dir: { type: 'string', description: 'Where its files are; by default beside your configuration file.' },
    'with-loki': { type: 'boolean', description: 'Logs in Loki too. --no-with-loki does without again.' },
    'with-grafana': { type: 'boolean', description: 'Grafana with dashboards and alerts.' },
    force: { type: 'boolean', description: 'Replace files that you have changed; they are kept as backups.' },
    'dry-run': { type: 'boolean', description: 'Say what init would do.' },
    follow: { type: 'boolean', description: 'Of logs: go on.' },
    timeout: { type: 'string', description: 'Of up: how many seconds to wait for all parts; 180.' },
  },
  async run({ args }) {
    const folder = args.dir ?? defaultFolder()
    switch (actionOf(args.action)) {
      case 'init':
        return init(folder, args)
      case 'up':
        return up(folder, secondsOf(args.timeout))
      case 'down':
        openStack(folder)
        return compose(await findEngine(), folder, ['down'])
      case 'status':
        return status(folder)
      case 'logs': {
        openStack(folder)
        const service = args.service === undefined ? [] : [args.service]
        return compose(await findEngine(), folder, [
          'logs',
          ...(args.follow ? ['--follow'] : ['--tail=200']),
          ...service,
        ])
      }
    }
  },
})

function actionOf(name: string): Action {
  const action = actions.find((each) => each === name)
  if (action !== undefined) return action
  throw new Failure('usage', `stack has no "${name}"`, `use one of: ${actions.join(', ')}`)
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return readyMs
  if (/^\d+$/.test(text)) return Number(text) * 1000
  throw new Failure('usage', `--timeout is "${text}"`, 'give a number of seconds')
}

function defaultFolder(): string {
  const file = configFilePath(readEnvironment())
  if (file === undefined) throw new Failure('io', 'no home folder is known (HOME is not set)', 'name one with --dir')
  return join(dirname(file), 'stack')
}

interface InitArguments {
  readonly 'with-loki'?: boolean | undefined
  readonly 'with-grafana'?: boolean | undefined
  readonly force?: boolean | undefined
  readonly 'dry-run'?: boolean | undefined
}

function init(folder: string, args: InitArguments): void {
  const changes = initStack(folder, {
    withLoki: args['with-loki'],
    withGrafana: args['with-grafana'],
    force: args.force === true,
    dryRun: args['dry-run'] === true,
    nowMs: Date.now(),
  })
  process.stdout.write(renderChanges(folder, changes, args['dry-run'] === true))
}

/** What became of each file, and of those that a person has changed how they differ. */
export function renderChanges(folder: string, changes: readonly FileChange[], isDryRun: boolean): string {
  const rows = changes.map(({ path, outcome, backup }) => [
    path,
    outcome === 'kept' ? 'kept, because you have changed it' : outcome,
    ...(backup === undefined ? [] : [`yours is now ${backup}`]),
  ])
  const differing = changes.filter(({ difference }) => difference !== '')
  const differences = differing.flatMap(({ path, difference }) => [
    '',
    `${path}: - yours, + ours`,
    difference.trimEnd(),
  ])
  const hasKept = changes.some(({ outcome }) => outcome === 'kept')
  const next = isDryRun
    ? 'nothing was written'
    : hasKept
      ? 'take ours with --force, which keeps yours as a backup; then claude-otel stack up'
      : 'ports, days and passwords are in .env; next: claude-otel stack up'
  return `${[folder, ...align(rows), ...differences, '', next].join('\n')}\n`
}

async function up(folder: string, limitMs: number): Promise<void> {
  const settings = openStack(folder)
  const tell = (line: string) => void process.stderr.write(`${line}\n`)
  const stop = () => {
    tell('stopped waiting; what was started goes on: claude-otel stack status, claude-otel stack down')
    // Nobody listens any more: it ends us as it would have.
    process.kill(process.pid, 'SIGINT')
  }
  process.once('SIGINT', stop)
  await startStack(folder, settings, limitMs, tell)
  process.off('SIGINT', stop)
  process.stdout.write(renderReady(folder, settings))
}

function renderReady(folder: string, { ports, withLoki, withGrafana }: StackSettings): string {
  const rows = [
    ['OTLP', `gRPC at http://127.0.0.1:${ports.otlpGrpc}, HTTP at http://127.0.0.1:${ports.otlpHttp}`],
    ['ClickHouse', `http://127.0.0.1:${ports.clickhouseHttp}, user otel`],
    ...(withLoki ? [['Loki', `http://127.0.0.1:${ports.loki}`]] : []),
    ...(withGrafana ? [['Grafana', `http://127.0.0.1:${ports.grafana}, user admin`]] : []),
  ]
  const head = 'a span, a log record and a metric went through the Collector and were read back from ClickHouse'
  return `${[head, ...align(rows), `send to it: . ${join(folder, 'telemetry-env.sh')}`].join('\n')}\n`
}

async function status(folder: string): Promise<void> {
  const settings = openStack(folder)
  const parts = await Promise.all(
    partsOf(settings).map(async (part) => [part.name, (await problemOf(part)) ?? 'ready', part.url]),
  )
  process.stdout.write(`${[folder, ...align(parts)].join('\n')}\n`)
  if (parts.some(([, state]) => state !== 'ready'))
    throw new Failure('unavailable', 'not all parts of the stack are ready', 'start them: claude-otel stack up')
}
