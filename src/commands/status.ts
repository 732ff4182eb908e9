/** `claude-otel status`: what was sent, what waits, what was dropped, and how our hooks do. */
import { Failure } from '../base/errors.ts'
import { resolveStatePaths, type StatePaths } from '../base/paths.ts'
import { version } from '../base/version.ts'
import { readEnvironment } from '../config/environment.ts'
import { showBytes, showDuration } from '../config/kinds.ts'
import { type HubPresence, readPresence } from '../hub/presence.ts'
import { renderDrops } from '../session/drops.ts'
import { hookPercentile } from '../session/health.ts'
import { isProcessAlive } from '../session/processes.ts'
import { readStatus, type StateStatus } from '../session/status.ts'
import { defineOurCommand } from './command.ts'
import { resolveSettings } from './settings.ts'
import { align, formatAgo, formatBytes, formatCount } from './table.ts'

export default defineOurCommand({
  meta: { name: 'status', description: 'Show what was sent, what waits and what was dropped.' },
  args: { json: { type: 'boolean', description: 'Print everything as JSON.' } },
  async run({ args, data }) {
    const env = readEnvironment()
    const paths = resolveStatePaths(env)
    if (paths === undefined)
      throw new Failure('io', 'no home folder is known (HOME is not set)', 'set HOME or CLAUDE_OTEL_HOME')
    const { config } = await resolveSettings(env, data)
    const status = readStatus(paths, config)
    const { health, ...rest } = status
    const hub = await findHub(paths)
    const state = { version, state: paths.root, ...rest, hooks: hookNumbers(status), counts: health.counts }
    const numbers = { ...state, ...(hub === undefined ? {} : { hub }) }
    process.stdout.write(
      args.json ? `${JSON.stringify(numbers, undefined, 2)}\n` : renderStatus(paths.root, { ...status, hub }),
    )
  },
})

/** The hub of this user, if it lives. */
async function findHub(paths: StatePaths): Promise<HubPresence | undefined> {
  const hub = await readPresence(paths.hubPresence)
  return hub !== undefined && isProcessAlive(hub.pid, hub.birth) ? hub : undefined
}

interface HookNumbers {
  readonly calls: number
  readonly p50Ms?: number
  readonly p99Ms?: number
}

/** `calls` that were measured; percentiles only where there are any. */
function hookNumbers({ health }: StateStatus): HookNumbers {
  const [p50Ms, p99Ms] = [hookPercentile(health, 0.5), hookPercentile(health, 0.99)]
  const calls = health.hooks.reduce((sum, count) => sum + count, 0)
  return p50Ms === undefined || p99Ms === undefined ? { calls } : { calls, p50Ms, p99Ms }
}

/** Plain text with a final line break. */
export function renderStatus(
  root: string,
  status: StateStatus & { readonly hub?: HubPresence | undefined },
  now = Date.now(),
): string {
  const sections = [
    ['Destinations', ...renderDestinations(status, now)],
    ['Hub', ...renderHub(status.hub)],
    ['Runs', ...renderRuns(status, now)],
    ['Hooks', ...renderHooks(status)],
    ['Counts', ...renderCounts(status)],
    ['State', ...renderState(root, status)],
  ]
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function renderDestinations({ destinations, reported }: StateStatus, now: number): string[] {
  const rows = Object.entries(destinations).map(([name, { delivered, queued, dropped, lastError, at }]) => [
    name,
    `${delivered} delivered`,
    `${queued} queued`,
    `${dropped} dropped`,
    at === undefined ? 'not used yet' : formatAgo(now - at),
    ...(lastError === undefined ? [] : [lastError]),
  ])
  if (rows.length === 0) return ['  none']
  const since = reported.sinceAt === undefined ? '' : `, the first ${formatAgo(now - reported.sinceAt)}`
  return [...align(rows), `  over ${formatCount(reported.runs, 'run')}${since}`]
}

function renderHub(hub: HubPresence | undefined): string[] {
  if (hub === undefined) return ['  none runs']
  const { url, host, grpcPort, httpPort, store, pid } = hub
  const ports = `OTLP at ${host}, gRPC on ${grpcPort}, HTTP on ${httpPort}`
  return [`  process ${pid}, version ${hub.version}; dashboard at ${url}`, `  ${ports}; kept in ${store}`]
}

function renderRuns({ living, waiting, uncounted, oldestWaitingAt }: StateStatus, now: number): string[] {
  const oldest = oldestWaitingAt === undefined ? '' : `, the oldest from ${formatAgo(now - oldestWaitingAt)}`
  const hint = waiting === 0 ? '' : '; the next run or `claude-otel drain` sends them'
  const unknown = uncounted === 0 ? '' : ` (${uncounted} of them killed, not counted above)`
  return [`  ${living} running`, `  ${waiting} waiting to be sent${unknown}${oldest}${hint}`]
}

function renderState(root: string, { bytes, storage, givenUp }: StateStatus): string[] {
  const lost = renderDrops(givenUp, storage)
  const most = `${showBytes(storage.maxBytes)} and ${showDuration(storage.maxAgeMs)} for what is not delivered`
  return [`  ${formatBytes(bytes)} in ${root}; at most ${most}`, ...(lost === undefined ? [] : [`  ${lost}`])]
}

function renderHooks(status: StateStatus): string[] {
  const { calls, p50Ms, p99Ms } = hookNumbers(status)
  if (p50Ms === undefined || p99Ms === undefined) return ['  none was measured yet']
  const lost = sum(status.health.counts['claude_otel.hooks_lost_total'])
  return [`  ${formatCount(calls, 'call')}, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ${lost} lost`]
}

function renderCounts({ health }: StateStatus): string[] {
  const rows = Object.entries(health.counts).flatMap(([instrument, labels]) =>
    Object.entries(labels).map(([label, count]) => [instrument, label, String(count)]),
  )
  return rows.length === 0 ? ['  nothing was dropped, cut, masked or unknown'] : align(rows)
}

function sum(labels: Readonly<Record<string, number>> = {}): number {
  return Object.values(labels).reduce((total, count) => total + count, 0)
}
