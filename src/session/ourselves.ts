/** What a session's entries say of ourselves: how long hooks took, what was cut and masked, what a newer Claude Code says. */
import type { HookEvent } from '../claude/hook-event.ts'
import type { Tally } from '../telemetry/keeper.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import type { Emitter } from './emitter.ts'
import type { HookEntry } from './entries.ts'

export class Ourselves {
  /** Fields that were told. */
  private readonly told = new Set<string>()

  constructor(
    private readonly emitter: Emitter,
    private readonly session: SpanRef,
  ) {}

  onHook({ at, event, tookMicro, kept }: HookEntry): void {
    const name = { 'hook.event': event.name }
    if (tookMicro !== undefined) this.emitter.metric('claude_otel.hook.duration', at, tookMicro / 1000, name)
    this.onKept(kept, at)
    if (event.detail.type === 'other') this.emitter.metric('claude_otel.unknown_total', at, 1, name)
    if (event.unknown !== undefined) this.onUnknown(event.name, event.unknown, at)
  }

  onKept(kept: Tally | undefined, at: number): void {
    if (kept === undefined) return
    if (kept.cut > 0) this.emitter.metric('claude_otel.texts_cut_total', at, kept.cut)
    for (const [kind, count] of Object.entries(kept.masked)) {
      this.emitter.metric('claude_otel.secrets_masked_total', at, count, { 'secret.kind': kind })
    }
  }

  /** Each field is told once; how often it came is counted. */
  private onUnknown(event: string, { names, fields }: NonNullable<HookEvent['unknown']>, at: number): void {
    for (const field of names) {
      this.emitter.metric('claude_otel.unknown_total', at, 1, { 'hook.event': event, 'hook.field': field })
    }
    const fresh = names.filter((field) => !this.told.has(`${event}.${field}`))
    if (fresh.length === 0) return
    for (const field of fresh) this.told.add(`${event}.${field}`)
    const attributes = { 'hook.event': event, 'hook.field': fresh.join(','), 'hook.fields': fields.text }
    this.emitter.log('claude.hook.event', at, this.session, attributes, `${event} with ${fresh.join(', ')}`)
  }
}
