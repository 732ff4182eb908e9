/** The text of `claude-otel status`. Pure. */
import type { HookSource } from '../claude/settings-files.ts'
import type { ResolvedSetting } from '../config/config.ts'
import { showBytes, showDuration } from '../config/kinds.ts'
import type { Probe } from '../export/probe.ts'
import type { HubPresence } from '../hub/presence.ts'
import { renderDrops } from '../session/drops.ts'
import { hookPercentile } from '../session/health.ts'
import type { StateStatus } from '../session/status.ts'
import type { Finding } from './findings.ts'
import { renderHookSources } from './hooks.ts'
import { align, formatAgo, formatBytes, formatCount } from './table.ts'

/** What is known of the claude that would be run. */
export interface ClaudeFacts {
  readonly path?: string
  readonly version?: string
}

/** Beside what the state folder tells; a section without its facts is left out. */
export interface StatusFacts {
  readonly settings?: readonly ResolvedSetting[]
  readonly claude?: ClaudeFacts
  readonly sources?: readonly HookSource[]
  readonly probes?: readonly Probe[]
  /** What was sent for a test. */
  readonly sent?: { readonly traceId: string }
  readonly hub?: HubPresence | undefined
  readonly findings?: readonly Finding[]
}

interface HookNumbers {
  readonly calls: number
  readonly p50Ms?: number
  readonly p99Ms?: number
}

/** `calls` that were measured; percentiles only where there are any. */
export function hookNumbers({ health }: StateStatus): HookNumbers {
  const [p50Ms, p99Ms] = [hookPercentile(health, 0.5), hookPercentile(health, 0.99)]
  const calls = health.hooks.reduce((sum, count) => sum + count, 0)
  return p50Ms === undefined || p99Ms === undefined ? { calls } : { calls, p50Ms, p99Ms }
}

/** Plain text with a final line break. */
export function renderStatus(root: string, status: StateStatus & StatusFacts, now = Date.now()): string {
  const { settings, claude, findings } = status
  const sections = [
    ...(settings === undefined ? [] : [['Settings', ...renderSettings(settings)]]),
    ...(claude === undefined ? [] : [['Claude Code', `  ${renderClaude(claude)}`]]),
    ['Destinations', ...renderDestinations(status, now)],
    ['Hub', ...renderHub(status.hub)],
    ['Runs', ...renderRuns(status, now)],
    ['Hooks', ...renderHooks(status, now)],
    ['Counts', ...renderCounts(status)],
    ['State', ...renderState(root, status)],
    ...(findings === undefined ? [] : [renderFindings(findings)]),
  ]
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function renderSettings(settings: readonly ResolvedSetting[]): string[] {
  const given = settings.filter(({ origin }) => origin !== 'default')
  if (given.length === 0) return ['  all as by default']
  return align(given.map(({ key, shown, origin }) => [key, shown || '(empty)', `from ${origin}`]))
}

function renderClaude({ path, version }: ClaudeFacts): string {
  return path === undefined ? 'not found' : `${version ?? 'of unknown version'}, ${path}`
}

function renderFindings(findings: readonly Finding[]): string[] {
  if (findings.length === 0) return ['Nothing is wrong that can be seen from here.']
  return ['What is wrong', ...findings.flatMap(({ what, mend }) => [`  - ${what}`, `    ${mend}`])]
}

function renderDestinations(
  { destinations, reported, probes, sent }: StateStatus & StatusFacts,
  now: number,
): string[] {
  const rows = Object.entries(destinations).map(([name, { delivered, queued, dropped, lastError, at }]) => [
    name,
    ...(probes === undefined ? [] : [answerOf(name, probes)]),
    `${delivered} delivered`,
    `${queued} queued`,
    `${dropped} dropped`,
    at === undefined ? 'not used yet' : formatAgo(now - at),
    ...(lastError === undefined ? [] : [lastError]),
  ])
  if (rows.length === 0) return ['  none']
  const since = reported.sinceAt === undefined ? '' : `, the first ${formatAgo(now - reported.sinceAt)}`
  return [
    ...align(rows),
    ...(sent === undefined ? [] : renderSent(probes ?? [], sent.traceId)),
    `  over ${formatCount(reported.runs, 'run')}${since}`,
  ]
}

/** One word on what was tried out now. */
function answerOf(name: string, probes: readonly Probe[]): string {
  const own = probes.filter(({ destination }) => destination === name)
  if (own.length === 0) return 'not in use'
  const refused = own.filter(({ status }) => status !== 'accepted')
  if (refused.length === 0) return `answers in ${Math.max(...own.map(({ ms }) => ms))} ms`
  return refused.length === own.length ? 'no' : `no for ${refused.map(({ signal }) => signal).join(', ')}`
}

function renderSent(probes: readonly Probe[], traceId: string): string[] {
  const rows = probes.map(({ destination, signal, status, ms, reason }) => [
    `test of ${signal}`,
    status === 'accepted' ? `accepted in ${ms} ms` : status,
    destination,
    ...(reason === undefined ? [] : [reason]),
  ])
  return [...align(rows), `  the test is claude_otel.test in trace ${traceId}`]
}

function renderHub(hub: HubPresence | undefined): string[] {
  if (hub === undefined) return ['  none runs']
  const { url, host, grpcPort, httpPort, store, pid } = hub
  const ports = `OTLP at ${host}, gRPC on ${grpcPort}, HTTP on ${httpPort}`
  // hub.age and hub.size say nothing there.
  const ages = /^https?:/.test(store) ? ', for as long as its tables’ own age (TTL) says' : ''
  return [`  process ${pid}, version ${hub.version}; dashboard at ${url}`, `  ${ports}; kept in ${store}${ages}`]
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

function renderHooks(status: StateStatus & StatusFacts, now: number): string[] {
  const { calls, p50Ms, p99Ms } = hookNumbers(status)
  const lost = sum(status.health.counts['claude_otel.hooks_lost_total'])
  const measured =
    p50Ms === undefined || p99Ms === undefined
      ? 'none was measured yet'
      : `${formatCount(calls, 'call')}, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ${lost} lost`
  return [
    ...(status.sources === undefined ? [] : renderHookSources(status.sources)),
    ...renderLastEvent(status.lastEvent, now),
    `  ${measured}`,
  ]
}

function renderLastEvent({ wrapped, hooked }: StateStatus['lastEvent'], now: number): string[] {
  const seen = [
    ...(wrapped === undefined ? [] : [`${formatAgo(now - wrapped)} under claude-otel`]),
    ...(hooked === undefined ? [] : [`${formatAgo(now - hooked)} by hooks alone`]),
  ]
  return seen.length === 0 ? [] : [`  last heard of a session: ${seen.join(', ')}`]
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
