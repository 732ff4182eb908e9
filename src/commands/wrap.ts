/**
 * The wrapper: claude on the user's terminal, as it would run alone, and telemetry beside it. Whatever is wrong with the
 * telemetry, claude runs; what there is to say about it is one line on stderr after claude has exited.
 *
 * Everything that this file loads is loaded before claude starts, so it is little, and none of it needs `node:fs`.
 */
import { describeError } from '../base/errors.ts'
import { workingFolder } from '../base/paths.ts'
import { startsSession } from '../claude/arguments.ts'
import { findClaude } from '../claude/binary.ts'
import { type Child, type ChildEnd, startChild } from '../claude/launch.ts'
import { registerHooks } from '../claude/registration.ts'
import { settingsTellOfTelemetry } from '../claude/settings-telemetry.ts'
import type { Environment } from '../config/config.ts'
import { claudeEnvironment, planRun, type RunPlan } from '../run/plan.ts'
import { type Flags, inheritSettings, resolveSettings, troubleOf } from '../run/settings.ts'
import { Telemetry } from '../run/telemetry.ts'

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
  const trouble = troubleOf(resolution)
  if (trouble !== undefined) return plain(trouble)
  const isTold = resolution.config.usesHub !== undefined && settingsTellOfTelemetry(args, env, workingFolder())
  let run: RunPlan
  let registered: readonly string[]
  try {
    run = await planRun(resolution, { ...told, args, hooks: 'processes' })
    registered = await registerHooks({
      args,
      plugin: run.paths.plugin,
      executable: process.execPath,
      folder: run.folder,
    })
  } catch (error) {
    return plain(`telemetry was off: ${describeError(error)}`)
  }
  const childEnv = claudeEnvironment(run, env, (await isTold) === true)
  return attend(startChild([claude, ...registered], childEnv), run)
}

async function attend(child: Child, run: RunPlan): Promise<WrapEnd> {
  const telemetry = new Telemetry(run, child.pid)
  const end = await child.ended
  try {
    const line = await telemetry.finish(end)
    return line === undefined ? { end } : { end, line }
  } catch (error) {
    return { end, line: `telemetry failed: ${describeError(error)}; records may be left in ${run.folder}` }
  }
}
