/** What a chat says of itself when it begins, when claude is there, and when it ends. Pure. */
import { homedir } from 'node:os'
import { version } from '../base/version.ts'
import { announceDestinations } from '../config/announce.ts'
import type { Resolution } from '../config/config.ts'
import { dollars, type Metrics, percent, short } from '../console/metrics.ts'
import { type Row, renderRowsPanel } from '../console/panel.ts'
import { oneLine } from '../console/text.ts'
import type { Theme } from '../console/theme.ts'
import { count, toolName } from '../console/titles.ts'

export interface ChatFacts {
  readonly model: string | undefined
  readonly permissionMode: string | undefined
  readonly cwd: string
  readonly resolution: Resolution
  /** Known beforehand, unless an earlier session is gone on with. */
  readonly sessionId: string | undefined
}

export function renderBanner(facts: ChatFacts, columns: number, theme: Theme): string[] {
  const { model, permissionMode, cwd, resolution, sessionId } = facts
  const rows: Row[] = [
    ['Model', oneLine(model ?? 'Claude Code’s default')],
    ['Permissions', oneLine(permissionMode ?? 'as in your settings')],
    ['Folder', oneLine(shortened(cwd))],
    ['Telemetry', destinationsOf(resolution)],
    ['Session', oneLine(sessionId ?? 'an earlier one')],
  ]
  const hint = theme.dim('/help lists commands, exit or Ctrl-D leaves')
  const title = theme.isRich ? `🤖 claude-otel ${version}` : `claude-otel ${version}`
  return renderRowsPanel(title, rows, ['', hint], columns, theme)
}

function shortened(path: string): string {
  const home = homedir()
  return path === home || path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path
}

/** Where signals go, each place once. */
export function destinationsOf({ config, problems }: Resolution): string {
  const [problem] = problems
  if (config.disabled) return 'off'
  if (problem !== undefined) return `off: ${problem.message}`
  const places = announceDestinations(config).map(shortened)
  return places.length === 0 ? 'nowhere: all exporters are none' : places.join(', ')
}

export interface ClaudeFacts {
  readonly version: string | undefined
  readonly model: string | undefined
  readonly servers: readonly { readonly name: string; readonly status: string }[]
  readonly traceId: string | undefined
}

/** What only claude itself knows, in a line. */
export function claudeLine(facts: ClaudeFacts, theme: Theme): string {
  const servers = facts.servers.map(
    ({ name, status }) => `${oneLine(name)}${status === 'connected' ? '' : ` (${status})`}`,
  )
  const parts = [
    `Claude Code ${facts.version ?? ''}`.trim(),
    ...(facts.model === undefined ? [] : [oneLine(facts.model)]),
    servers.length === 0 ? 'no MCP servers' : `MCP: ${servers.join(', ')}`,
    ...(facts.traceId === undefined ? [] : [`trace ${facts.traceId}`]),
  ]
  return theme.dim(parts.join(theme.between))
}

/** The chat so far: also what `/cost` shows. */
export function renderMetrics(metrics: Metrics, columns: number, theme: Theme): string[] {
  const { total, tools, contextLeft } = metrics
  const rows: Row[] = [
    ['Turns', total.turns.toLocaleString('en')],
    ['Tokens', `${short(total.input)} in, ${short(total.output)} out`],
    ['Cache', `${short(total.cacheRead)} read, ${short(total.cacheCreation)} written`],
    ['Cost', dollars(total.usd)],
    ['Tools', total.tools === 0 ? 'none' : `${total.tools}: ${namesOf(tools)}`],
    ['Worked', `${total.seconds.toFixed(1)} s`],
    ...(contextLeft === undefined ? [] : [['Context', `${percent(contextLeft)} left`] as const]),
  ]
  return renderRowsPanel(theme.isRich ? '📊 Metrics' : 'Metrics', rows, [], columns, theme)
}

export function renderTools(metrics: Metrics, columns: number, theme: Theme): string[] {
  const rows: Row[] = metrics.tools.map(([name, calls]) => [toolName(name), count(calls, 'call')])
  const none = rows.length === 0 ? ['No tool has run yet.'] : []
  return renderRowsPanel(theme.isRich ? '🔧 Tools' : 'Tools', rows, none, columns, theme)
}

function namesOf(tools: readonly (readonly [string, number])[]): string {
  return tools.map(([name, calls]) => (calls === 1 ? toolName(name) : `${toolName(name)} ×${calls}`)).join(', ')
}
