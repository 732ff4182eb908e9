/** What executables and archives weigh, against the gates of their targets. */
import type { Target } from './targets.ts'

export interface Built {
  readonly target: Target
  readonly executable: Buffer
  readonly archive: Buffer
}

/** A table, in MB of a million bytes. */
export function renderSizes(built: readonly Built[]): string {
  const rows = built.map(({ target, executable, archive }) => {
    const cell = (bytes: Buffer, gate: number) => `${megabytes(bytes).toFixed(1).padStart(7)} (gate ${gate})`
    const { gates } = target
    return `${target.name.padEnd(18)}${cell(executable, gates.executable)}  ${cell(archive, gates.archive)}`
  })
  return ['MB                  executable          archive', ...rows].join('\n')
}

/** Throws with the names of those that are over a gate. */
export function checkGates(built: readonly Built[]): void {
  const over = built.filter(
    ({ target, executable, archive }) =>
      megabytes(executable) > target.gates.executable || megabytes(archive) > target.gates.archive,
  )
  if (over.length > 0) throw new Error(`over their gates: ${over.map(({ target }) => target.name).join(', ')}`)
}

function megabytes(bytes: Buffer): number {
  return bytes.length / 1e6
}
