/**
 * What the guard does: runs commands, posts to webhooks, tells people. Nothing waits for it, what fails is told and disturbs nothing,
 * and what was done stands in the store.
 */
import { describeError } from '../base/errors.ts'
import type { Environment, GuardRule } from '../config/config.ts'
import type { AnyStore } from '../store/store.ts'
import { type Crossing, crossingEnvironment } from './guard-crossing.ts'

/** A crossing and what came of it. */
export interface Firing extends Crossing {
  readonly isNoticed: boolean
  /** One line each, such as `notify-send: done`; those under way are absent. */
  readonly outcomes: readonly Outcome[]
}

interface Outcome {
  readonly what: string
  readonly hasFailed: boolean
}

export interface GuardActions {
  start(crossing: Crossing, rules: readonly GuardRule[]): void
  /** The last first, also those before a restart. */
  firings(): readonly Firing[]
  /** Waits for what is under way, and ends what is not over by the deadline. */
  close(deadline: AbortSignal): Promise<void>
}

export interface GuardActionsOptions {
  readonly store: Pick<AnyStore, 'marks' | 'putMark'>
  /** What commands get beside the facts. */
  readonly env: Environment
  /** A line for a person. */
  readonly notice: (message: string) => void
  /** Something is to be read anew: a firing is there, or more is known of it. */
  readonly onChange: (sessionId: string) => void
  /** Between tries of a webhook. */
  readonly retryMs?: readonly number[]
}

const firingPrefix = 'guard firing/'
const keptFirings = 50
/** More of them at once would be a load. */
const maxRunning = 4
const maxWaiting = 100
const webhookMs = 10_000

/** Knows what was done before. Rejects with the store's failure. */
export async function createGuardActions(options: GuardActionsOptions): Promise<GuardActions> {
  const marks = await options.store.marks(firingPrefix, keptFirings)
  return new RunningActions(
    options,
    marks.map(({ key, value }) => ({ key, firing: JSON.parse(value) as Firing })),
  )
}

interface Known {
  readonly key: string
  firing: Firing
}

class RunningActions implements GuardActions {
  private readonly queue: (() => Promise<void>)[] = []
  private readonly running = new Set<Promise<void>>()
  private readonly ending = new AbortController()
  private count = 0

  /** The last mark of a firing is the one that stays. */
  private keeping: Promise<void> = Promise.resolve()

  constructor(
    private readonly options: GuardActionsOptions,
    private readonly known: Known[],
  ) {}

  start(crossing: Crossing, rules: readonly GuardRule[]): void {
    this.count += 1
    const key = `${firingPrefix}${crossing.time} ${process.pid} ${this.count}`
    const isNoticed = rules.some((rule) => rule.isNoticed)
    const entry: Known = { key, firing: { ...crossing, isNoticed, outcomes: [] } }
    this.known.unshift(entry)
    this.known.splice(keptFirings)
    if (isNoticed) this.options.notice(crossing.text)
    this.keep(entry)
    for (const action of rules.flatMap((rule) => this.actionsOf(rule, crossing))) {
      if (this.queue.length >= maxWaiting) this.conclude(entry, { what: 'queue is full: not done', hasFailed: true })
      else this.queue.push(async () => this.conclude(entry, await action()))
    }
    this.next()
  }

  firings(): readonly Firing[] {
    return this.known.map(({ firing }) => firing)
  }

  async close(deadline: AbortSignal): Promise<void> {
    const end = () => {
      this.queue.length = 0
      this.ending.abort()
    }
    deadline.addEventListener('abort', end)
    if (deadline.aborted) end()
    while (this.running.size > 0) await Promise.race(this.running)
    await Promise.race([this.keeping, aborted(deadline)])
    deadline.removeEventListener('abort', end)
  }

  private actionsOf({ command, webhook, timeoutMs }: GuardRule, crossing: Crossing): (() => Promise<Outcome>)[] {
    const { env, retryMs = [1000, 5000] } = this.options
    const { signal } = this.ending
    return [
      ...(command === undefined ? [] : [() => runCommand(command, crossing, { env, timeoutMs, signal })]),
      ...(webhook === undefined ? [] : [() => post(webhook, crossing, { retryMs, signal })]),
    ]
  }

  private next(): void {
    while (this.running.size < maxRunning) {
      const action = this.queue.shift()
      if (action === undefined) return
      const run = action().finally(() => {
        this.running.delete(run)
        this.next()
      })
      this.running.add(run)
    }
  }

  private conclude(entry: Known, outcome: Outcome): void {
    if (outcome.hasFailed) this.options.notice(`the guard’s ${outcome.what}`)
    entry.firing = { ...entry.firing, outcomes: [...entry.firing.outcomes, outcome] }
    this.keep(entry)
  }

  private keep({ key, firing }: Known): void {
    const mark = { key, timeUnixMicro: Date.parse(firing.time) * 1000, value: JSON.stringify(firing) }
    this.keeping = this.keeping
      .then(() => this.options.store.putMark(mark))
      // The guard has told that its marks cannot be kept.
      .catch(() => {})
    this.options.onChange(firing.session.id)
  }
}

interface CommandOptions {
  readonly env: Environment
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** From the root, since nobody knows from where the hub was started. In a process group of its own, which ends as a whole. */
async function runCommand(argv: readonly string[], crossing: Crossing, options: CommandOptions): Promise<Outcome> {
  const { env, timeoutMs, signal } = options
  const name = `command ${argv[0]}`
  try {
    const child = Bun.spawn([...argv], {
      cwd: '/',
      env: { ...env, ...crossingEnvironment(crossing) },
      stdin: new TextEncoder().encode(`${JSON.stringify(crossing)}\n`),
      stdout: 'ignore',
      stderr: 'pipe',
      detached: true,
    })
    const complaint = lastLine(child.stderr, child.exited)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const kill = () => killGroup(child.pid)
    limit.addEventListener('abort', kill)
    if (limit.aborted) kill()
    const code = await child.exited
    limit.removeEventListener('abort', kill)
    if (limit.aborted) {
      const why = signal.aborted ? 'the hub ended' : `it took longer than ${timeoutMs} ms`
      return { what: `${name} was ended: ${why}`, hasFailed: true }
    }
    if (code === 0) return { what: `${name}: done`, hasFailed: false }
    const words = await complaint
    const how = child.signalCode === null ? `ended with ${code}` : `was killed by ${child.signalCode}`
    return { what: `${name} ${how}${words === '' ? '' : `: ${words}`}`, hasFailed: true }
  } catch (error) {
    return { what: `${name} could not be run: ${describeError(error)}`, hasFailed: true }
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** What it said last on stderr; whoever it has left behind may hold that open. */
async function lastLine(stream: ReadableStream<Uint8Array>, exited: Promise<unknown>): Promise<string> {
  let words = ''
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) words = (words + decoder.decode(chunk, { stream: true })).slice(-2000)
  })()
  await Promise.race([reading, exited.then(() => Bun.sleep(100))]).catch(() => {})
  return words.trim().split('\n').at(-1)?.slice(0, 200) ?? ''
}

interface PostOptions {
  readonly retryMs: readonly number[]
  readonly signal: AbortSignal
}

/** An answer that is no failure of the moment is not asked for again. The path of the address may be a secret: it is not told. */
async function post(url: string, crossing: Crossing, { retryMs, signal }: PostOptions): Promise<Outcome> {
  const name = `webhook at ${new URL(url).origin}`
  for (let tries = 0; ; tries += 1) {
    const { status, words } = await postOnce(url, crossing, signal)
    if (status !== undefined && status < 300) return { what: `${name}: done`, hasFailed: false }
    const isPassing = status === undefined || status === 429 || status >= 500
    const waitMs = isPassing && !signal.aborted ? retryMs[tries] : undefined
    if (waitMs === undefined) return { what: `${name} failed: ${words}`, hasFailed: true }
    await sleepUnless(signal, waitMs)
  }
}

/** Resolves when it is. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

function sleepUnless(signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}

async function postOnce(
  url: string,
  crossing: Crossing,
  signal: AbortSignal,
): Promise<{ readonly status?: number; readonly words: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'claude-otel' },
      body: JSON.stringify(crossing),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(webhookMs)]),
    })
    await response.body?.cancel()
    return { status: response.status, words: `it answered ${response.status}` }
  } catch (error) {
    const isOver = error instanceof Error && error.name === 'TimeoutError'
    return { words: isOver ? `no answer in ${webhookMs} ms` : 'it cannot be reached' }
  }
}
