/** The events on a session's span: prompts, turns, compactions, the end. Names and attributes are claude_telemetry's. */
import type { Usage } from '../claude/transcript.ts'
import type { SpanEventName } from '../telemetry/attributes.ts'
import { cutMasked } from '../telemetry/preview.ts'
import type { Attributes, AttributeValue, SpanEvent } from '../telemetry/signal.ts'

/** A session has many prompts, and its span is sent in one piece: whole ones are on their turns. */
const promptChars = 256

interface TurnEnd {
  readonly index: number
  readonly status: string
  readonly usage: Usage
}

export class SessionEvents {
  private readonly events: SpanEvent[] = []

  onPrompt(text: string, at: number): void {
    this.add('👤 User prompt submitted', at, { prompt: text === '' ? undefined : cutMasked(text, promptChars) })
  }

  /** Tokens in Claude's meaning: `input_tokens` leaves cached ones out. */
  onTurnEnd({ index, status, usage }: TurnEnd, at: number): void {
    this.add('Turn completed', at, {
      turn: index,
      status,
      input_tokens: usage.input,
      output_tokens: usage.output,
      cache_read_tokens: usage.cacheRead,
      cache_creation_tokens: usage.cacheCreation,
    })
  }

  /** `hasInstructions`: undefined where nobody tells. */
  onCompaction(trigger: string, hasInstructions: boolean | undefined, at: number): void {
    this.add('Context compaction', at, { trigger, has_custom_instructions: hasInstructions })
  }

  onCompleted(at: number): void {
    this.add('🎉 Completed', at, {})
  }

  /** In the order of their times; some are told late. */
  all(): readonly SpanEvent[] {
    return this.events.toSorted((a, b) => a.timeUnixMicro - b.timeUnixMicro)
  }

  private add(
    name: SpanEventName,
    timeUnixMicro: number,
    told: Readonly<Record<string, AttributeValue | undefined>>,
  ): void {
    const known = Object.entries(told).filter(([, value]) => value !== undefined)
    this.events.push({ name, timeUnixMicro, attributes: Object.fromEntries(known) as Attributes })
  }
}
