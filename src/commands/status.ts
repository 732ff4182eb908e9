/** `claude-otel status`: what is set up, whether it works now, what was sent, what waits, and what to mend. */
import { Failure } from '../base/errors.ts'
import { resolveStatePaths, type StatePaths, workingFolder } from '../base/paths.ts'
import { version } from '../base/version.ts'
import { findClaude } from '../claude/binary.ts'
import { readHookSources } from '../claude/settings-files.ts'
import { readClaudeVersion } from '../claude/version.ts'
import type { Config, Destination, Environment, Resolution } from '../config/config.ts'
import { readEnvironment } from '../config/environment.ts'
import { clockSkew, type Probe, probeDestinations } from '../export/probe.ts'
import { type HubPresence, readPresence } from '../hub/presence.ts'
import { resolveSettings } from '../run/settings.ts'
import { createRunEntry } from '../session/begin.ts'
import { isProcessAlive } from '../session/processes.ts'
import { rootRef } from '../session/root.ts'
import { readStatus } from '../session/status.ts'
import { defineOurCommand } from './command.ts'
import { type Facts, findFaults } from './findings.ts'
import { hookNumbers, renderStatus } from './status-text.ts'

export default defineOurCommand({
  meta: { name: 'status', description: 'Show what is set up, whether it works, and what was sent.' },
  args: {
    send: { type: 'boolean', description: 'Send a test span, log record and metric to each destination.' },
    timeout: { type: 'string', description: 'Seconds to wait for answers.', default: '2' },
    json: { type: 'boolean', description: 'Print everything as JSON.' },
  },
  async run({ args, data }) {
    const seconds = Number(args.timeout)
    if (!(seconds > 0)) throw new Failure('usage', `--timeout is "${args.timeout}"`, 'give a number of seconds above 0')
    const env = readEnvironment()
    const paths = resolveStatePaths(env)
    if (paths === undefined)
      throw new Failure('io', 'no home folder is known (HOME is not set)', 'set HOME or CLAUDE_OTEL_HOME')
    const resolution = await resolveSettings(env, data)
    const { health, ...state } = readStatus(paths, resolution.config)
    const { sent, ...facts } = await look(env, paths, resolution, seconds * 1000, args.send === true)
    const { sources, probes, claude, hub } = facts
    const findings = findFaults(facts)
    const settings = resolution.settings.filter(({ origin }) => origin !== 'default')
    const told = { settings, claude, sources, probes, findings, ...(sent === undefined ? {} : { sent }) }
    if (args.json) {
      const hooks = hookNumbers({ ...state, health })
      const numbers = { version, state: paths.root, ...state, hooks, counts: health.counts, ...told }
      process.stdout.write(`${JSON.stringify({ ...numbers, ...(hub === undefined ? {} : { hub }) }, undefined, 2)}\n`)
    } else process.stdout.write(renderStatus(paths.root, { ...state, health, hub, ...told }))
    const refused = probes.find(({ status }) => status !== 'accepted')
    if (sent === undefined || refused === undefined) return
    throw new Failure('unavailable', `a test was not accepted: ${refused.reason ?? refused.status}`, refused.hint)
  },
})

/** Everything that has to be asked for, at the same time, within about the time that is given. */
async function look(
  env: Environment,
  paths: StatePaths,
  resolution: Resolution,
  timeoutMs: number,
  isTest: boolean,
): Promise<Facts & { readonly sent?: { readonly traceId: string } }> {
  const { config } = resolution
  const [claude, { probes, traceId }, skews, hub] = await Promise.all([
    claudeFacts(env, timeoutMs),
    tryOut(config, timeoutMs, isTest),
    clocks(config, timeoutMs),
    findHub(paths),
  ])
  const sources = readHookSources({ env, cwd: workingFolder() })
  const hidden = await hiddenFromHooks(env, resolution)
  const facts = { env, resolution, hidden, claude, sources, probes, skews, hub }
  return traceId === undefined ? facts : { ...facts, sent: { traceId } }
}

/** Claude Code takes every OTEL_* variable away from its hooks. */
async function hiddenFromHooks(env: Environment, { settings }: Resolution): Promise<string[]> {
  const seen = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('OTEL_')))
  const known = new Map((await resolveSettings(seen, {})).settings.map(({ key, shown }) => [key, shown]))
  const differing = settings.filter(({ key, shown }) => known.get(key) !== shown)
  return [...new Set(differing.map(({ origin }) => origin).filter((origin) => origin.startsWith('OTEL_')))]
}

async function tryOut(
  config: Config,
  timeoutMs: number,
  isTest: boolean,
): Promise<{ probes: Probe[]; traceId?: string }> {
  if (!isTest) return { probes: await probeDestinations(config, { timeoutMs }) }
  const { createTestPayloads } = await import('../export/test-signals.ts')
  const runId = crypto.randomUUID()
  const at = Date.now() * 1000
  const ref = rootRef(runId, { kind: 'always_on', parentBased: false, ratio: 1 }, undefined)
  const { resource } = createRunEntry(config, runId, at)
  const payloads = (destination: Destination) => createTestPayloads(config, destination, resource, ref, at)
  return { probes: await probeDestinations(config, { timeoutMs, payloads }), traceId: ref.traceId }
}

async function claudeFacts(env: Environment, timeoutMs: number): Promise<Facts['claude']> {
  try {
    const path = findClaude(env, process.execPath)
    const found = await readClaudeVersion(path, env, timeoutMs)
    return { path, ...(found === undefined ? {} : { version: found }) }
  } catch (error) {
    if (error instanceof Failure) return { failure: error }
    throw error
  }
}

/** Of each server that can be asked, once. */
async function clocks({ disabled, signals }: Config, timeoutMs: number): Promise<Facts['skews']> {
  const all = Object.values(signals).flatMap(({ destinations }) => destinations)
  const targets = all.flatMap((each) => (each.kind === 'otlp' && !disabled ? [each.target] : []))
  const hosts = new Map(targets.map((target) => [new URL(target.url).origin, target]))
  const asked = [...hosts].map(async ([origin, target]) => ({ origin, ms: await clockSkew(target, timeoutMs) }))
  return (await Promise.all(asked)).flatMap(({ origin, ms }) => (ms === undefined ? [] : [{ origin, ms }]))
}

/** The hub of this user, if it lives. */
async function findHub(paths: StatePaths): Promise<HubPresence | undefined> {
  const hub = await readPresence(paths.hubPresence)
  return hub !== undefined && isProcessAlive(hub.pid, hub.birth) ? hub : undefined
}
