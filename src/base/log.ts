/** Diagnostics for people who asked for them (`--claude-otel-debug`): lines in a file, never on the terminal. */
import { appendFileSync } from 'node:fs'

/** Takes one line of text. What cannot be written is lost: diagnostics must not break what they describe. */
export type Log = (message: string) => void

export const noLog: Log = () => {}

/** Appends `time pid message` lines; the file is made private. Its folder must be there. */
export function createLog(path: string): Log {
  return (message) => {
    try {
      appendFileSync(path, `${new Date().toISOString()} ${process.pid} ${message}\n`, { mode: 0o600 })
    } catch {
      // A full disk is told by what did not get delivered.
    }
  }
}
