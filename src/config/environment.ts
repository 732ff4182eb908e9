/** The process's environment. Read here, and nowhere else outside the hook. */
import type { Environment } from './values.ts'

/** A copy, so that nothing that happens later in this process reaches claude. */
export function readEnvironment(): Environment {
  return { ...process.env }
}
