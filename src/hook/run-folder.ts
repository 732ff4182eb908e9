/**
 * Where a run keeps its files, from the environment alone, and how a record in its spool is written. A run is one life of one
 * claude process: `<run>/spool/` takes the hooks' records, `<run>/owner` names the process that empties it.
 * Part of the hot path: strings only, no file is touched here. (What stamp.ts shared with others would be one more piece for a
 * hook to load: 1 to 2 ms.)
 */

type Environment = Readonly<Record<string, string | undefined>>

/** Names the run folder for hooks of a claude that `claude-otel` started. */
export const runVariable = 'CLAUDE_OTEL_RUN'

/**
 * The folder of everything we keep: `CLAUDE_OTEL_HOME`, else `$XDG_STATE_HOME/claude-otel`, else the platform's place.
 * Undefined where none of them is known (no home): then nothing can be kept.
 */
export function stateFolder(env: Environment): string | undefined {
  if (env.CLAUDE_OTEL_HOME) return env.CLAUDE_OTEL_HOME
  if (env.XDG_STATE_HOME?.startsWith('/')) return `${env.XDG_STATE_HOME}/claude-otel`
  if (env.LOCALAPPDATA) return `${env.LOCALAPPDATA}\\claude-otel`
  return env.HOME ? `${env.HOME}/.local/state/claude-otel` : undefined
}

/** The run folder of a hook: the wrapper's, else one for the claude process (CLAUDE_PID) that nobody wrapped. */
export function runFolder(env: Environment, parentPid: number): string | undefined {
  const wrapped = env[runVariable]
  if (wrapped) return wrapped
  const state = stateFolder(env)
  return state && `${state}/runs/claude-${env.CLAUDE_PID || parentPid}`
}

/** `<start>-<process id of the wrapper>-<random>`: the name says who empties the spool, so that a hook need not look it up. */
export function wrappedRunName(startUnixMicro: number, pid: number, random: string): string {
  return `${startUnixMicro}-${pid}-${random}`
}

/** When the wrapper began the run, microseconds since the epoch, by the folder's name; NaN for a run that nobody wrapped. */
export function startOf(run: string): number {
  return Number(run.split(/[/\\-]/).at(-3))
}

/** Process id of the wrapper that began the run, by the folder's name; NaN for a run that nobody wrapped. */
export function wrapperOf(run: string): number {
  return Number(run.split('-').at(-2))
}

/**
 * A record for the spool: a JSON header line `{"v":1,"t":µs,"d":µs since then,"pid":claude,"n":characters (UTF-16) of the payload,
 * "tp":traceparent,"cb":1 for a callback}`, the payload, and a line feed. One that is shorter than its header says is not complete
 * yet. `more` is what follows `n` in the header, as JSON behind a comma.
 */
export function frameRecord(
  payload: string,
  timeUnixMicro: number,
  tookMicro: number,
  pid: number,
  more: string,
): string {
  return `{"v":1,"t":${timeUnixMicro},"d":${tookMicro},"pid":${pid},"n":${payload.length}${more}}\n${payload}\n`
}
