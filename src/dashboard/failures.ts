/** What failed lately, over all sessions, in memory and bounded; each once, though claude-otel and Claude Code both tell of it. */
import type { OtlpLogRecord } from '../telemetry/otlp.ts'
import { isFailure, type LogView, logView, withoutTwins } from './log-view.ts'

export interface LiveError extends LogView {
  readonly sessionId: string
}

const maxErrors = 50
/** Of both. */
const maxKept = 2 * maxErrors

export class Failures {
  private readonly known = new Map<string, LiveError>()

  /** Nothing comes of a record that tells of no failure, or a second time. */
  take(log: OtlpLogRecord, sessionId: string): void {
    // A turn fails by something that is told of itself.
    if (!isFailure(log) || log.eventName === 'claude.turn.end') return
    const error = { ...logView(log), sessionId }
    const key = [sessionId, error.unixMicro, error.event, error.text].join(' ')
    this.known.set(key, error)
    if (this.known.size <= maxKept) return
    const oldest = [...this.known].reduce((a, b) => (b[1].unixMicro < a[1].unixMicro ? b : a))
    this.known.delete(oldest[0])
  }

  /** The last first. */
  list(): readonly LiveError[] {
    const sessions = Map.groupBy(this.known.values(), ({ sessionId }) => sessionId)
    const errors = [...sessions.values()].flatMap((list) => withoutTwins(list))
    return errors.sort((a, b) => b.unixMicro - a.unixMicro).slice(0, maxErrors)
  }
}
