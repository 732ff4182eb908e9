/**
 * Known reasons for silence: what of all that can be seen keeps telemetry from arriving, each with its mend. Looks at nothing but
 * whether files are there.
 */
import { existsSync } from 'node:fs'
import type { Failure } from '../base/errors.ts'
import { isLoopback } from '../base/loopback.ts'
import { firstWithArguments } from '../claude/hook-command.ts'
import type { HookSource } from '../claude/settings-files.ts'
import { isOlder } from '../claude/version.ts'
import type { Environment, Resolution } from '../config/config.ts'
import { showText } from '../config/kinds.ts'
import type { Probe } from '../export/probe.ts'
import type { HubPresence } from '../hub/presence.ts'

export interface Finding {
  readonly what: string
  readonly mend: string
}

/** Everything that is looked at. */
export interface Facts {
  readonly env: Environment
  readonly resolution: Resolution
  /** Variables that say what hooks will not know: they do not see them, and the file says something else. */
  readonly hidden: readonly string[]
  readonly claude: { readonly path?: string; readonly version?: string; readonly failure?: Failure }
  readonly sources: readonly HookSource[]
  readonly probes: readonly Probe[]
  /** How far servers' clocks are ahead of ours, milliseconds. */
  readonly skews: readonly { readonly origin: string; readonly ms: number }[]
  readonly hub: HubPresence | undefined
}

/** The gravest first. */
export function findFaults(facts: Facts): Finding[] {
  const all = [
    ...settingFaults(facts),
    ...claudeFaults(facts),
    ...facts.sources.flatMap(sourceFaults),
    ...hookFaults(facts),
    ...probeFaults(facts),
    ...clockFaults(facts),
  ]
  return all.filter(({ what }, at) => all.findIndex((each) => each.what === what) === at)
}

function settingFaults({ resolution: { problems, config, settings } }: Facts): Finding[] {
  const wrong = problems.map(({ message, hint }) => ({ what: message, mend: hint ?? 'see claude-otel --config' }))
  if (!config.disabled) return wrong
  const origin = settings.find(({ key }) => key === 'disabled')?.origin ?? ''
  return [{ what: `telemetry is switched off by ${origin}`, mend: `take ${origin} away` }, ...wrong]
}

function claudeFaults({ env, claude: { failure, version }, sources }: Facts): Finding[] {
  const found: Finding[] = []
  if (failure !== undefined) found.push({ what: failure.message, mend: failure.hint ?? 'set CLAUDE_BIN' })
  if (/^(?:1|true|yes|on)$/i.test(env.CLAUDE_CODE_SIMPLE ?? ''))
    found.push({ what: 'CLAUDE_CODE_SIMPLE is set: Claude Code runs no hooks', mend: 'unset it' })
  if (version !== undefined && isOlder(version, firstWithArguments) && sources.some(isOurs)) {
    const what = `Claude Code ${version} may run our hooks without their arguments, which came with ${firstWithArguments}`
    found.push({
      what,
      mend: 'claude update, or claude-otel hooks add, which writes them for the claude that is there',
    })
  }
  return found
}

function sourceFaults(source: HookSource): Finding[] {
  const { scope, path, problem, disableAllHooks, allowManagedHooksOnly } = source
  const found: Finding[] = []
  if (problem !== undefined)
    found.push({ what: `${path}: ${problem}`, mend: 'mend the file: none of its settings are in effect' })
  if (disableAllHooks) {
    const mend = scope === 'managed' ? 'ask whoever manages this machine' : `take disableAllHooks out of ${path}`
    found.push({ what: `${path} says disableAllHooks: no hook runs, ours neither`, mend })
  }
  if (allowManagedHooksOnly && !isOurs(source))
    found.push({
      what: `${path} says allowManagedHooksOnly: our hooks do not run`,
      mend: 'ask whoever manages this machine to add them there',
    })
  const gone = [...new Set(Object.values(source.hooks).flat())].filter((program) => !existsSync(program))
  const mend = scope === 'plugin' || scope === 'managed' ? 'update it' : `claude-otel hooks add --${scope}`
  return [...found, ...gone.map((program) => ({ what: `${path} calls ${program}, which is not there`, mend }))]
}

/** What the environment here says does not reach hooks. */
function hookFaults({ hidden, sources }: Facts): Finding[] {
  if (hidden.length === 0 || !sources.some(isOurs)) return []
  return [
    {
      what: `sessions that hooks alone record do not see ${hidden.join(', ')}`,
      mend: 'claude-otel hooks add --save-config writes what they say into your config file',
    },
  ]
}

function probeFaults({ env, probes, resolution, hub }: Facts): Finding[] {
  // A session starts it.
  const isAsleep = resolution.config.usesHub !== undefined && hub === undefined
  const failed = probes.filter(({ status, reason = '' }) => status !== 'accepted' && !(isAsleep && isRefused(reason)))
  return failed.map(({ destination, place, reason = 'no answer', hint }) => {
    const proxy = proxyOf(place, env)
    const through = proxy === undefined ? '' : ` (through the proxy ${showText(proxy)})`
    const mend = mendOf(reason, hint, place)
    const bypass = proxy === undefined ? '' : `; or name ${new URL(place).hostname} in NO_PROXY`
    return { what: `${destination}: ${reason}${through}`, mend: mend + bypass }
  })
}

function isRefused(reason: string): boolean {
  return /ECONNREFUSED|unable to connect|Connection dropped|No connection established/i.test(reason)
}

function mendOf(reason: string, hint: string | undefined, place: string): string {
  if (/self.signed|unable to (?:verify|get)|issuer|UNABLE_TO|SELF_SIGNED|unknown certificate/i.test(reason))
    return 'set OTEL_EXPORTER_OTLP_CERTIFICATE to the file with the certificate of its CA'
  return hint ?? `see whether ${place} is right and reachable`
}

/** The proxy that a request to the place goes through, by the usual variables; none for this machine. */
export function proxyOf(place: string, env: Environment): string | undefined {
  const url = URL.parse(place)
  if (url === null || isLoopback(url.hostname)) return undefined
  const names = url.protocol === 'https:' ? ['https_proxy', 'HTTPS_PROXY'] : ['http_proxy', 'HTTP_PROXY']
  const proxy = names.map((name) => env[name]).find((value) => value)
  const spared = (env.no_proxy || env.NO_PROXY || '').split(',').map((each) => each.trim().replace(/^\*?\./, ''))
  const isSpared = spared.some(
    (host) => host === '*' || (host !== '' && (url.hostname === host || url.hostname.endsWith(`.${host}`))),
  )
  return isSpared ? undefined : proxy
}

const tolerableSkewMs = 30_000

function clockFaults({ skews }: Facts): Finding[] {
  return skews.flatMap(({ origin, ms }) => {
    if (Math.abs(ms) <= tolerableSkewMs) return []
    const what = `the clock of ${origin} is ${Math.round(Math.abs(ms) / 1000)} s ${ms > 0 ? 'ahead of' : 'behind'} this machine's`
    return [{ what, mend: 'set the clock: what lies in the future or the past may be refused or not be found' }]
  })
}

function isOurs({ hooks }: HookSource): boolean {
  return Object.keys(hooks).length > 0
}
