/**
 * What claude-otel costs, measured on the compiled binary: every value is a ratio or a difference of medians
 * of programs that ran in turns in this process, so that a slow or busy machine slows both.
 */
import { measureHubMemory, measureIntake, measureUpdates } from './measure/hub.ts'
import { measureBackfill, measureQueries } from './measure/hub-history.ts'
import type { Measure } from './measure/kit.ts'
import { measureLoad } from './measure/load.ts'
import { measureMemory } from './measure/memory.ts'
import { measureHook, measureWrapper } from './measure/programs.ts'
import { measureChat, measureRich } from './measure/rich.ts'
import { measureExit, measureSession, measureTransports } from './measure/sessions.ts'
import { measureStackIntake, measureStackQueries } from './measure/stack.ts'

/** Each gives one or more measures; `effort` multiplies the number of runs. */
export const measurements: readonly ((effort: number) => Promise<Measure[]>)[] = [
  measureHook,
  measureWrapper,
  measureSession,
  measureExit,
  measureTransports,
  measureRich,
  measureChat,
  measureMemory,
  measureLoad,
  measureIntake,
  measureUpdates,
  measureHubMemory,
  measureQueries,
  measureBackfill,
  measureStackIntake,
  measureStackQueries,
]
