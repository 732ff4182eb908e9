/**
 * A scripted Anthropic Messages API on loopback: what a model would say is data, and what was served is recorded.
 * Every figure of usage is made from the place of the answer in its lane (main conversation, one subagent,
 * auxiliary requests), so the same script gives the same ids and figures in every run, however lanes interleave,
 * and a wrong sum shows which request was missed or doubled.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { until } from './until.ts'

export type Block =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'thinking'; readonly thinking: string }
  | { readonly type: 'tool_use'; readonly name: string; readonly input: Readonly<Record<string, unknown>> }

/** One message of the model; several `tool_use` blocks are parallel calls. */
export interface MessageAnswer {
  readonly blocks: readonly Block[]
  /** The model that answers, when it is not the one that was asked. */
  readonly model?: string
  /** Waits before the first byte, and before each event after it. */
  readonly delayMs?: number
  readonly eventDelayMs?: number
  /** Waits before the first byte until this holds. */
  readonly until?: () => boolean | Promise<boolean>
  /** The socket is destroyed in the middle of the stream, so the message never ends. */
  readonly cut?: boolean
  /** Tokens that the conversation had in the cache, beyond those of the answer's place: a context that is nearly full. */
  readonly context?: number
}

export interface ErrorAnswer {
  readonly status: number
  readonly error: string
  readonly message: string
  readonly retryAfterSeconds?: number
}

/** A function answers with what the request holds, such as the id of an agent. */
export type Answer = MessageAnswer | ErrorAnswer | ((body: Readonly<Record<string, unknown>>) => MessageAnswer)

export interface Script {
  /** Answers of the main conversation, in order. */
  readonly main: readonly Answer[]
  /** Answers of subagents, by a marker that stands in the first user message of the subagent's conversation. */
  readonly agents?: Readonly<Record<string, readonly Answer[]>>
  /** The answer to titles, summaries and compactions, which stand outside of the script. */
  readonly auxiliary?: string
}

export type Lane = 'main' | 'agent' | 'auxiliary'

/** Tokens as the API counts them: `input` leaves cached tokens out, `cacheCreation` is 5m and 1h together. */
export interface Tokens {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheCreation: number
  readonly thinking: number
}

/** A message that was served to its last byte. */
export interface Served extends Tokens {
  readonly messageId: string
  readonly requestedModel: string
  readonly model: string
  readonly lane: Lane
  /** The subagent's marker. */
  readonly agent?: string
  readonly atUnixMs: number
}

/** A request for a message, as it came. */
export interface SeenRequest {
  readonly lane: Lane
  readonly agent?: string
  readonly model: string
  readonly body: Readonly<Record<string, unknown>>
  readonly atUnixMs: number
}

export interface MessagesApi {
  readonly url: string
  /** Messages served completely: the truth that telemetry is compared with. */
  served(): readonly Served[]
  servedTotals(): Tokens
  /** Messages cut in mid-stream: they began with their usage, of which the output was never told. */
  cutShort(): readonly Served[]
  requests(): readonly SeenRequest[]
  /** Requests beyond the end of the script, and answers nobody asked for: both empty after a run as planned. */
  surprises(): readonly string[]
  close(): Promise<void>
}

export function text(words: string, more: Omit<MessageAnswer, 'blocks'> = {}): MessageAnswer {
  return { blocks: [{ type: 'text', text: words }], ...more }
}

export function thinking(thought: string, ...blocks: readonly Block[]): MessageAnswer {
  return { blocks: [{ type: 'thinking', thinking: thought }, ...blocks] }
}

/** A message that calls tools: one, or several in parallel. */
export function tools(...calls: readonly Block[]): MessageAnswer {
  return { blocks: calls }
}

export function toolUse(name: string, input: Readonly<Record<string, unknown>>): Block {
  return { type: 'tool_use', name, input }
}

/** An error with the type that the API gives for its status. */
export function error(status: keyof typeof errorTypes, retryAfterSeconds?: number): ErrorAnswer {
  const type = errorTypes[status]
  return {
    status,
    error: type,
    message: `scripted ${type}`,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  }
}

const errorTypes = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  429: 'rate_limit_error',
  500: 'api_error',
  529: 'overloaded_error',
} as const

/** Sums the kinds of tokens. */
export function totals(messages: Iterable<Tokens>): Tokens {
  const sum = { input: 0, output: 0, cacheRead: 0, cacheCreation: 0, thinking: 0 }
  for (const message of messages) {
    sum.input += message.input
    sum.output += message.output
    sum.cacheRead += message.cacheRead
    sum.cacheCreation += message.cacheCreation
    sum.thinking += message.thinking
  }
  return sum
}

/** Starts the API on a free port of loopback and plays the script once. */
export async function startMessagesApi(script: Script): Promise<MessagesApi> {
  const player = new Player(script)
  const server = createServer((request, response) => {
    void player.handle(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    served: () => player.served,
    servedTotals: () => totals(player.served),
    cutShort: () => player.cutShort,
    requests: () => player.requests,
    surprises: () => player.surprises(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Where an answer stands: its lane, and the number that makes its ids and its usage. */
interface Place {
  readonly lane: Lane
  readonly agent?: string
  readonly name: string
  readonly number: number
}

type Usage = ReturnType<typeof usageAt>

class Player {
  readonly served: Served[] = []
  readonly cutShort: Served[] = []
  readonly requests: SeenRequest[] = []
  readonly #script: Script
  readonly #asked = new Map<string, number>()
  readonly #unscripted: string[] = []

  constructor(script: Script) {
    this.#script = script
  }

  surprises(): string[] {
    const unasked = this.#lanes().flatMap(([name, answers]) =>
      answers
        .slice(this.#asked.get(name) ?? 0)
        .map((answer) => `never asked for in ${name}: ${JSON.stringify(answer)}`),
    )
    return [...this.#unscripted, ...unasked]
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0]
    if (path === '/' && request.method !== 'POST') return sendJson(response, 200, {})
    if (path === '/v1/messages/count_tokens') return sendJson(response, 200, { input_tokens: 1000 })
    if (path !== '/v1/messages')
      return sendError(response, { status: 404, error: 'not_found_error', message: `no ${path}` })

    const body = parseObject(await readText(request))
    const place = this.#place(body)
    this.requests.push({
      lane: place.lane,
      ...(place.agent === undefined ? {} : { agent: place.agent }),
      model: String(body.model),
      body,
      atUnixMs: Date.now(),
    })
    const scripted = this.#answer(place)
    const answer = typeof scripted === 'function' ? scripted(body) : scripted
    if ('error' in answer) return sendError(response, answer)
    await this.#stream(response, answer, place, String(body.model))
  }

  #lanes(): [string, readonly Answer[]][] {
    const agents = Object.entries(this.#script.agents ?? {})
    return [['main', this.#script.main], ...agents]
  }

  #place(body: Readonly<Record<string, unknown>>): Place {
    const agents = Object.keys(this.#script.agents ?? {})
    const agent = agents.find((marker) => firstUserText(body).includes(marker))
    const lane = isAuxiliary(body) ? 'auxiliary' : agent === undefined ? 'main' : 'agent'
    const name = lane === 'agent' && agent !== undefined ? agent : lane
    const index = this.#asked.get(name) ?? 0
    this.#asked.set(name, index + 1)
    const base = lane === 'main' ? 0 : lane === 'auxiliary' ? 9000 : 1000 * (agents.indexOf(name) + 1)
    return { lane, name, number: base + index + 1, ...(lane === 'agent' ? { agent: name } : {}) }
  }

  #answer(place: Place): Answer {
    if (place.lane === 'auxiliary') return text(this.#script.auxiliary ?? 'A short summary.')
    const answers = this.#lanes().find(([name]) => name === place.name)?.[1] ?? []
    const answer = answers[(place.number - 1) % 1000]
    if (answer !== undefined) return answer
    this.#unscripted.push(`beyond the script: request ${place.number} of ${place.name}`)
    return text('The script is over.')
  }

  async #stream(response: ServerResponse, answer: MessageAnswer, place: Place, requestedModel: string): Promise<void> {
    const model = answer.model ?? requestedModel
    const id = String(place.number).padStart(6, '0')
    const messageId = `msg_01Scripted${id}`
    const usage = usageAt(place.number, answer)
    const events = [...renderEvents(answer.blocks, { messageId, toolUsePrefix: `toolu_01Scripted${id}`, model, usage })]
    const played = answer.cut ? events.slice(0, Math.ceil(events.length / 2)) : events

    await Bun.sleep(answer.delayMs ?? 0)
    if (answer.until !== undefined) await until('the moment of the answer', answer.until)
    // Nobody waits for it any more.
    if (response.destroyed) return
    response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': `req_01Scripted${id}` })
    for (const [index, event] of played.entries()) {
      if (answer.eventDelayMs !== undefined) await Bun.sleep(answer.eventDelayMs)
      if (response.destroyed && index === 0) return
      if (response.destroyed) break
      response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    }
    const { lane, agent } = place
    const message = {
      messageId,
      requestedModel,
      model,
      lane,
      ...(agent === undefined ? {} : { agent }),
      ...tokensOf(usage),
      atUnixMs: Date.now(),
    }
    // Whoever asked may have hung up in the middle, as the script may want it to be cut.
    const isWhole = !answer.cut && !response.destroyed
    if (isWhole) {
      this.served.push(message)
      response.end()
      return
    }
    this.cutShort.push({ ...message, output: 0, thinking: 0 })
    // The client really sees half of a message: what was written leaves before the socket goes. A claude that reads both
    // at once counts nothing of it.
    await Bun.sleep(1000)
    response.socket?.end()
  }
}

/** Five minutes and one hour caches alternate, thinking costs tokens of its own. */
function usageAt(number: number, { blocks, context = 0 }: MessageAnswer) {
  const cacheCreation = 200 + number
  const oneHour = number % 3 === 0 ? 50 + number : 0
  const thought = blocks.some((block) => block.type === 'thinking') ? 7 + (number % 10) : 0
  return {
    input_tokens: 100 + number,
    cache_creation_input_tokens: cacheCreation,
    cache_read_input_tokens: 3000 + number + context,
    cache_creation: { ephemeral_5m_input_tokens: cacheCreation - oneHour, ephemeral_1h_input_tokens: oneHour },
    output_tokens: 40 + number,
    output_tokens_details: { thinking_tokens: thought },
    service_tier: 'standard',
  }
}

function tokensOf(usage: Usage): Tokens {
  return {
    input: usage.input_tokens,
    output: usage.output_tokens,
    cacheRead: usage.cache_read_input_tokens,
    cacheCreation: usage.cache_creation_input_tokens,
    thinking: usage.output_tokens_details.thinking_tokens,
  }
}

function toolUseId(prefix: string, index: number): string {
  return `${prefix}${String(index).padStart(2, '0')}`
}

interface StreamContext {
  readonly messageId: string
  readonly toolUsePrefix: string
  readonly model: string
  readonly usage: Usage
}

type StreamEvent = { readonly type: string; readonly [field: string]: unknown }

function* renderEvents(blocks: readonly Block[], context: StreamContext): Generator<StreamEvent> {
  const { messageId: id, model, usage } = context
  const { output_tokens, output_tokens_details, ...atStart } = usage
  const message = { id, type: 'message', role: 'assistant', model, content: [], stop_reason: null, stop_sequence: null }
  yield { type: 'message_start', message: { ...message, usage: { ...atStart, output_tokens: 1 } } }
  for (const [index, block] of blocks.entries()) yield* renderBlock(block, index, context)
  const stop_reason = blocks.some((block) => block.type === 'tool_use') ? 'tool_use' : 'end_turn'
  yield {
    type: 'message_delta',
    delta: { stop_reason, stop_sequence: null },
    usage: { ...atStart, output_tokens, output_tokens_details },
  }
  yield { type: 'message_stop' }
}

function* renderBlock(block: Block, index: number, context: StreamContext): Generator<StreamEvent> {
  const start = (content_block: object) => ({ type: 'content_block_start', index, content_block })
  const delta = (change: object) => ({ type: 'content_block_delta', index, delta: change })
  if (block.type === 'text') {
    yield start({ type: 'text', text: '' })
    for (const part of halves(block.text)) yield delta({ type: 'text_delta', text: part })
  }
  if (block.type === 'thinking') {
    yield start({ type: 'thinking', thinking: '', signature: '' })
    yield delta({ type: 'thinking_delta', thinking: block.thinking })
    yield delta({ type: 'signature_delta', signature: 'c2NyaXB0ZWQ=' })
  }
  if (block.type === 'tool_use') {
    yield start({ type: 'tool_use', id: toolUseId(context.toolUsePrefix, index), name: block.name, input: {} })
    for (const part of halves(JSON.stringify(block.input)))
      yield delta({ type: 'input_json_delta', partial_json: part })
  }
  yield { type: 'content_block_stop', index }
}

function halves(words: string): string[] {
  const middle = Math.ceil(words.length / 2)
  return [words.slice(0, middle), words.slice(middle)].filter((part) => part !== '')
}

/** Titles and summaries come without tools; a compaction brings the conversation's own and asks in its last message. */
function isAuxiliary(body: Readonly<Record<string, unknown>>): boolean {
  if (!Array.isArray(body.tools) || body.tools.length === 0) return true
  return userTexts(body).at(-1)?.includes('create a detailed summary') ?? false
}

function firstUserText(body: Readonly<Record<string, unknown>>): string {
  return userTexts(body)[0] ?? ''
}

function userTexts(body: Readonly<Record<string, unknown>>): string[] {
  if (!Array.isArray(body.messages)) return []
  return body.messages.filter((message) => message?.role === 'user').map((message) => JSON.stringify(message.content))
}

function parseObject(source: string): Record<string, unknown> {
  const value: unknown = JSON.parse(source)
  if (typeof value !== 'object' || value === null) throw new Error(`not an object: ${source.slice(0, 80)}`)
  return value as Record<string, unknown>
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

function sendError(response: ServerResponse, { status, error: type, message, retryAfterSeconds }: ErrorAnswer): void {
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  sendJson(response, status, { type: 'error', error: { type, message } }, headers)
}
