/** Diagnostics for people who asked for them (`--claude-otel-debug`): lines in a file, never on the terminal. */
import { appendRotating } from './rotating-file.ts'

/** Takes one line of text. What cannot be written is lost: diagnostics must not break what they describe. */
export type Log = (message: string) => void

/** Of one file; the one before it is kept. */
export const logBytes = 5_000_000

export const noLog: Log = () => {}

/** Appends `time pid message` lines; the file is made private and held to a size. Its folder must be there. */
export function createLog(path: string): Log {
  return (message) => {
    try {
      appendRotating(path, `${new Date().toISOString()} ${process.pid} ${message}\n`, logBytes)
    } catch {
      // A full disk is told by what did not get delivered.
    }
  }
}
