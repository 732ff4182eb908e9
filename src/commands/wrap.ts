/**
 * The wrapper: claude on the user's terminal, as it would run alone, and telemetry beside it. Whatever is wrong with the
 * telemetry, claude runs; what there is to say about it is one line on stderr after claude has exited.
 *
 * Everything that this file loads is loaded before claude starts, so it is little, and none of it needs `node:fs`.
 */
import { join } from 'node:path'
import { describeError } from '../base/errors.ts'
import { resolveStatePaths, workingFolder } from '../base/paths.ts'
import { startsSession } from '../claude/arguments.ts'
import { findClaude } from '../claude/binary.ts'
import { childEnvironment, nativeTelemetry } from '../claude/environment.ts'
import { type Child, type ChildEnd, startChild } from '../claude/launch.ts'
import { registerHooks } from '../claude/registration.ts'
import { settingsTellOfTelemetry } from '../claude/settings-telemetry.ts'
import type { Environment, Resolution } from '../config/config.ts'
import { wrappedRunName } from '../hook/run-folder.ts'
import { isForHub } from '../hub/presence.ts'
import { rootRef } from '../session/root.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import { type Flags, inheritSettings, resolveSettings } from './settings.ts'
import { Telemetry, type WrappedRun } from './telemetry.ts'

export interface WrapOptions {
  readonly args: readonly string[]
  readonly env: Environment
  readonly flags: Flags
}

/** How claude ended, and what the wrapper has to say then. */
export interface WrapEnd {
  readonly end: ChildEnd
  readonly line?: string
}

/** Fails, before anything was started, only when there is no claude to run. */
export async function wrap(options: WrapOptions): Promise<WrapEnd> {
  const { args, env } = options
  const claude = findClaude(env, process.execPath)
  const plain = async (line?: string): Promise<WrapEnd> => {
    const end = await startChild([claude, ...args], { ...env }).ended
    return line === undefined ? { end } : { end, line }
  }
  const told = await inheritSettings(env, options.flags)
  const resolution = await resolveSettings(told.env, told.flags)
  if (resolution.config.disabled || !startsSession(args)) return plain()
  const [problem] = resolution.problems
  if (problem !== undefined) {
    const hint = problem.hint === undefined ? '' : `; ${problem.hint.replaceAll('\n', ', ')}`
    return plain(`telemetry was off: ${problem.message}${hint} (claude-otel --config shows all settings)`)
  }
  const isTold = resolution.config.usesHub !== undefined && settingsTellOfTelemetry(args, env, workingFolder())
  let run: WrappedRun
  let registered: readonly string[]
  try {
    run = await planRun(resolution, { ...told, args })
    registered = await registerHooks({
      args,
      plugin: run.paths.plugin,
      executable: process.execPath,
      folder: run.folder,
    })
  } catch (error) {
    return plain(`telemetry was off: ${describeError(error)}`)
  }
  const handsOn = resolution.config.propagators.includes('tracecontext')
  const childEnv = childEnvironment(env, run.folder, handsOn ? run.root : undefined)
  const native = run.hub === undefined || (await isTold) ? {} : nativeTelemetry(env, run.hub)
  return attend(startChild([claude, ...registered], { ...childEnv, ...native }), run)
}

/** What claude's environment has to say of the run; its folder is made while claude starts. */
async function planRun(resolution: Resolution, { args, env, flags }: WrapOptions): Promise<WrappedRun> {
  const { config } = resolution
  const paths = resolveStatePaths(env)
  if (paths === undefined) throw new Error('no home folder is known (HOME is not set) to keep records in')
  const startUnixMicro = Math.floor((performance.timeOrigin + performance.now()) * 1000)
  const runId = wrappedRunName(startUnixMicro, process.pid, Math.random().toString(36).slice(2, 10))
  const takesOver = config.propagators.includes('tracecontext')
  const parent = takesOver ? parseTraceparent(env.TRACEPARENT, env.TRACESTATE) : undefined
  const root = rootRef(runId, config.sampler, parent)
  const { usesHub } = config
  const hub = usesHub !== undefined && (await isForHub(usesHub, paths.hubPresence)) ? usesHub : undefined
  const folder = join(paths.runs, runId)
  return { folder, paths, runId, startUnixMicro, root, parent, hub, resolution, env, flags, args }
}

async function attend(child: Child, run: WrappedRun): Promise<WrapEnd> {
  const telemetry = new Telemetry(run, child.pid)
  const end = await child.ended
  try {
    const line = await telemetry.finish(end)
    return line === undefined ? { end } : { end, line }
  } catch (error) {
    return { end, line: `telemetry failed: ${describeError(error)}; records may be left in ${run.folder}` }
  }
}
