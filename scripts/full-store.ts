/**
 * A store with weeks of work in it, the same each time: sessions of very different lengths, told by claude-otel's spans and by
 * Claude Code's events and metrics.
 */
import type { AnyStore } from '../src/store/store.ts'
import type { OtlpLogRecord, OtlpPoint, OtlpSource, OtlpSpan } from '../src/telemetry/otlp.ts'

export interface FullStore {
  readonly spans: number
  readonly logs: number
  readonly points: number
  readonly sessions: readonly { readonly id: string; readonly spans: number }[]
  /** One of each session. */
  readonly spanIds: readonly (readonly [sessionId: string, spanId: string])[]
}

/** Less than the hub keeps by itself. */
const days = 20
const dayMicro = 86_400_000_000
/** Of a hundred sessions, how many have so many spans at most. */
const lengths = [
  { below: 80, spans: 120 },
  { below: 97, spans: 600 },
  { below: 100, spans: 4000 },
] as const
const largest = 10_000
const spansPerRequest = 20
const requestsAtOnce = 1000
const models = ['claude-opus-5-5', 'claude-opus-5-5', 'claude-haiku-4-5-20251001']

const source = (scopeName: string): OtlpSource => ({
  resource: { 'service.name': scopeName === 'claude-otel' ? 'claude-otel' : 'claude-code', 'host.arch': 'amd64' },
  scopeName,
  scopeVersion: '1',
  scopeAttributes: {},
})
const ours = source('claude-otel')
const events = source('com.anthropic.claude_code.events')
const metrics = source('com.anthropic.claude_code')

/** Fills a store until it has so many spans more. */
export function fillStore(store: Pick<AnyStore, 'append'>, spans: number): Promise<FullStore> {
  return new Filling(store, spans).run()
}

class Filling {
  private readonly sessions: { id: string; spans: number }[] = []
  private readonly spanIds: [string, string][] = []
  private readonly written = { spans: 0, logs: 0, points: 0 }
  private readonly end = Date.now() * 1000
  private waiting: (void | Promise<void>)[] = []
  private seed = 1

  constructor(
    private readonly store: Pick<AnyStore, 'append'>,
    private readonly goal: number,
  ) {}

  async run(): Promise<FullStore> {
    while (this.written.spans < this.goal) await this.session(this.nextLength())
    await Promise.all(this.waiting)
    return { ...this.written, sessions: this.sessions, spanIds: this.spanIds }
  }

  private nextLength(): number {
    if (this.sessions.length % 500 === 250) return largest
    const place = this.random(100)
    return lengths.find(({ below }) => place < below)?.spans ?? largest
  }

  private async session(spans: number): Promise<void> {
    const id = `${this.hex(8)}-c405-4c2c-a542-${this.hex(12)}`
    this.sessions.push({ id, spans })
    // The first ones are the oldest, the last ones of today.
    const share = Math.min(1, this.written.spans / this.goal)
    const begin = this.end - days * dayMicro * (1 - share) - spans * 3_000_000
    const common = {
      'session.id': id,
      'user.id': 'b3ed676472c05272975ac0ff516b9c752e5c4aedd75926af064a0c6c9ba4b8e3',
      'vcs.repository.name': `project-${this.random(12)}`,
    }
    const traceId = this.hex(32)
    for (let from = 0; from < spans; from += spansPerRequest) {
      const count = Math.min(spansPerRequest, spans - from)
      const steps = Array.from({ length: count }, (_, index) => this.step(common, traceId, begin, from + index))
      const points = this.points(common, begin, begin + (from + count) * 3_000_000)
      await this.append(
        steps.map(({ span }) => span),
        steps.flatMap(({ logs }) => logs),
        from % (10 * spansPerRequest) === 0 ? points : [],
      )
    }
  }

  /** A model call, then two tools, and so on, one turn every thirty. */
  private step(common: OtlpSpan['attributes'], traceId: string, begin: number, index: number): Step {
    const at = begin + index * 3_000_000
    const spanId = this.hex(16)
    if (index === 5) this.spanIds.push([String(common['session.id']), spanId])
    const model = models[index % models.length] ?? ''
    const isCall = index % 3 === 0
    const prompt = { 'prompt.id': `prompt-${Math.floor(index / 30)}` }
    const span = (name: string, attributes: OtlpSpan['attributes']): OtlpSpan => ({
      ...{ source: ours, traceId, spanId, flags: 257, name, kind: 1, statusCode: index % 97 === 0 ? 2 : 0 },
      ...{ startUnixMicro: at, endUnixMicro: at + 2_500_000, events: [], links: [] },
      ...{ attributes: { ...common, ...prompt, ...attributes } },
    })
    if (index % 30 === 1)
      return {
        span: span('invoke_agent claude-code', {
          ...{ 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'claude-code', 'turn.index': index / 30 },
          ...{ 'prompt.preview': 'Make the project greet people, and check that it does', 'tools.total': 20 },
        }),
        logs: [],
      }
    if (!isCall)
      return {
        span: span('execute_tool Bash', {
          ...{ 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'Bash', 'tool.use_id': `toolu_${spanId}` },
          ...{ 'input.summary': `make part-${index}`, 'tool.status': 'success', duration_ms: 2400, exit_code: 0 },
        }),
        logs:
          index % 3 === 1
            ? [this.log(common, at + 2_500_000, 'tool_result', { tool_name: 'Bash', success: 'true', ...prompt })]
            : [],
      }
    const used = { input_tokens: 10 + this.random(100), output_tokens: 20 + this.random(2000) }
    const cached = { cache_read_tokens: 20_000 + index * 100, cache_creation_tokens: this.random(900) }
    return {
      span: span(`chat ${model}`, {
        ...{ 'gen_ai.operation.name': 'chat', 'gen_ai.response.model': model, 'gen_ai.response.id': `msg_${spanId}` },
        ...{ 'tokens.input': used.input_tokens, 'tokens.output': used.output_tokens },
        ...{ 'tokens.cache_read': cached.cache_read_tokens, 'tokens.cache_creation': cached.cache_creation_tokens },
      }),
      logs: [
        this.log(common, at + 2_500_000, 'api_request', {
          ...{ ...used, ...cached, model, cost_usd: 0.0136554, request_id: `req_${spanId}`, query_source: 'sdk' },
          ...prompt,
        }),
      ],
    }
  }

  private log(
    common: OtlpSpan['attributes'],
    at: number,
    eventName: string,
    attributes: OtlpSpan['attributes'],
  ): OtlpLogRecord {
    const all = { ...common, 'event.name': eventName, 'event.sequence': this.written.logs, ...attributes }
    const body = `claude_code.${eventName}`
    return {
      ...{ source: events, timeUnixMicro: at, observedUnixMicro: at, severityNumber: 9, eventName, body },
      attributes: all,
    }
  }

  private points(common: OtlpSpan['attributes'], start: number, at: number): OtlpPoint[] {
    return ['input', 'output', 'cacheRead', 'cacheCreation'].map((type) => ({
      ...{ source: metrics, name: 'claude_code.token.usage', unit: 'tokens', description: '', type: 'sum' as const },
      ...{ temporality: 'cumulative' as const, isMonotonic: true, value: Math.round((at - start) / 1000) },
      ...{ startUnixMicro: start, timeUnixMicro: at, isAbsent: false, exemplars: [] },
      attributes: { ...common, model: models[0] ?? '', type, query_source: 'main' },
    }))
  }

  private async append(spans: readonly OtlpSpan[], logs: readonly OtlpLogRecord[], points: readonly OtlpPoint[]) {
    this.written.spans += spans.length
    this.written.logs += logs.length
    this.written.points += points.length
    this.waiting.push(this.store.append({ signal: 'traces', spans }))
    if (logs.length > 0) this.waiting.push(this.store.append({ signal: 'logs', logs }))
    if (points.length > 0) this.waiting.push(this.store.append({ signal: 'metrics', points }))
    if (this.waiting.length < requestsAtOnce) return
    await Promise.all(this.waiting)
    this.waiting = []
  }

  private hex(length: number): string {
    let text = ''
    while (text.length < length)
      text += this.random(2 ** 32)
        .toString(16)
        .padStart(8, '0')
    return text.slice(0, length)
  }

  /** The same in every run. */
  private random(below: number): number {
    this.seed = (Math.imul(this.seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.seed / 2 ** 32) * below)
  }
}

interface Step {
  readonly span: OtlpSpan
  readonly logs: readonly OtlpLogRecord[]
}
