/**
 * What a person can cause or mend, and the process's exit codes. Outcomes that are normal (retryable,
 * rejected, not there) are values elsewhere; anything that is neither is a bug and surfaces in main.ts.
 */

/** sysexits.h where it has a word for it; 126 and 127 are the shell's for a command that cannot be run or found. */
export const exitCodes = {
  ok: 0,
  usage: 64,
  data: 65,
  unavailable: 69,
  internal: 70,
  io: 74,
  config: 78,
  notExecutable: 126,
  notFound: 127,
} as const

export type FailureKind = Exclude<keyof typeof exitCodes, 'ok' | 'internal'>

/** A mistake that somebody can mend: `message` names the thing, its value and its source, `hint` what would be right. */
export class Failure extends Error {
  override readonly name = 'Failure'

  constructor(
    readonly kind: FailureKind,
    message: string,
    readonly hint?: string,
  ) {
    super(message)
  }
}

/** Text for stderr: `claude-otel: message`, then the hint indented. */
export function renderFailure(failure: Failure): string {
  const lines = [`claude-otel: ${failure.message}`]
  if (failure.hint !== undefined) lines.push(...failure.hint.split('\n').map((line) => `  ${line}`))
  return `${lines.join('\n')}\n`
}

/** One line about an unknown thrown value. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
