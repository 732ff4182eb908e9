/**
 * What a session of very many events, and a transcript of very many bytes, cost the compiled binary: events a second from the spool
 * to a collector on loopback, how far memory grows meanwhile, and what it takes to join a long transcript. Run as a program it prints
 * the numbers.
 */
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BINARY, buildIfStale } from './build.ts'

export interface Load {
  readonly events: number
  readonly wallMs: number
  readonly eventsPerSecond: number
  /** Of all its threads, whatever else the machine did meanwhile. */
  readonly cpuMs: number
  /** Resident memory in MiB: when the process had loaded everything, and the most it ever was. */
  readonly startMiB: number
  readonly peakMiB: number
  /** Spans, log records and points that the collector was sent, in requests. */
  readonly requests: number
}

const callsPerTurn = 50

if (import.meta.main) {
  await buildIfStale()
  const events = Number(process.argv[2] ?? 50_000)
  console.log('drain', await measureDrain(events))
  console.log('live', await measureLive(events, 5000))
  console.log('attach', await measureAttach(500))
}

/** A run that was left behind with all its events in the spool, delivered by `drain`. */
export function measureDrain(events: number): Promise<Load> {
  return withStage(async (stage) => {
    const story = new Story(stage, 9_000_001)
    story.tell(events)
    const child = stage.spawn(['drain', '--timeout', '600'])
    return stage.watch(child, events)
  })
}

/** Events that come at this rate, while the pump runs. */
export function measureLive(events: number, perSecond: number): Promise<Load> {
  return withStage(async (stage) => {
    const claude = Bun.spawn(['sleep', '3600'])
    try {
      const story = new Story(stage, claude.pid)
      story.tell(10)
      const child = stage.spawn(['pump', stage.run(claude.pid)])
      const watched = stage.watch(child, events)
      const began = performance.now()
      for (let told = 10; told < events; ) {
        const due = Math.min(events, Math.ceil(((performance.now() - began) / 1000) * perSecond))
        if (due > told) story.tell(due - told)
        told = Math.max(told, due)
        await Bun.sleep(10)
      }
      claude.kill()
      return await watched
    } finally {
      claude.kill('SIGKILL')
    }
  })
}

export interface Attach {
  readonly wallMs: number
  readonly peakMiB: number
  readonly readMiB: number
}

/** A session resumed whose transcript has this size: from the start of the pump until its first prompt is with the collector. */
export function measureAttach(megabytes: number): Promise<Attach> {
  return withStage(async (stage) => {
    const story = new Story(stage, 9_000_001)
    story.fillTranscript(megabytes)
    story.tell(20)
    const began = performance.now()
    const child = stage.spawn(['drain', '--timeout', '600'])
    const { peakMiB } = await stage.watch(child, 20)
    return { wallMs: Math.round(performance.now() - began), peakMiB, readMiB: stage.readMiB }
  })
}

class Stage {
  requests = 0
  readMiB = 0

  constructor(
    readonly home: string,
    readonly url: string,
  ) {}

  run(pid: number): string {
    return join(this.home, 'state/runs', `claude-${pid}`)
  }

  spawn(args: readonly string[]): Bun.Subprocess {
    return Bun.spawn([BINARY, ...args], {
      env: {
        HOME: this.home,
        CLAUDE_OTEL_HOME: join(this.home, 'state'),
        CLAUDE_OTEL_EXPORTER_OTLP_ENDPOINT: this.url,
        CLAUDE_OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }

  /** Until the process ends. */
  async watch(child: Bun.Subprocess, events: number): Promise<Load> {
    const began = performance.now()
    let [startMiB, peakMiB] = [0, 0]
    while (child.exitCode === null && child.signalCode === null) {
      peakMiB = Math.max(peakMiB, statusMiB(child.pid, 'VmHWM'))
      this.readMiB = Math.max(this.readMiB, bytesRead(child.pid) / 1048576)
      // The SDK is loaded in the first 100 ms.
      if (performance.now() - began < 150) startMiB = statusMiB(child.pid, 'VmRSS')
      await Bun.sleep(20)
    }
    if (child.exitCode !== 0) throw new Error(`exit ${child.exitCode}`)
    const wallMs = Math.round(performance.now() - began)
    const eventsPerSecond = Math.round((events / wallMs) * 1000)
    const cpuMs = Math.round(Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1000)
    return { events, wallMs, eventsPerSecond, cpuMs, startMiB, peakMiB, requests: this.requests }
  }
}

function statusMiB(pid: number, field: string): number {
  try {
    const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Math.round(Number(kilobytes ?? 0) / 102.4) / 10
  } catch {
    return 0
  }
}

function bytesRead(pid: number): number {
  try {
    return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

async function withStage<Result>(measure: (stage: Stage) => Promise<Result>): Promise<Result> {
  const home = await mkdtemp(join(tmpdir(), 'claude-otel-load-'))
  const server = createServer((request, response) => {
    stage.requests++
    request.resume().on('end', () => response.writeHead(200).end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stage = new Stage(home, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  try {
    return await measure(stage)
  } finally {
    server.closeAllConnections()
    server.close()
    await rm(home, { recursive: true })
  }
}

/** A session of turns with many tool calls each, in hooks and in its transcript. */
export class Story {
  private readonly session = crypto.randomUUID()
  private readonly spool: string
  private readonly transcript: string
  private events = 0
  private call = 0
  private prompt = ''
  private lastMicro = 0

  constructor(
    stage: Stage,
    private readonly pid: number,
  ) {
    this.spool = join(stage.run(pid), 'spool')
    this.transcript = join(stage.home, `${this.session}.jsonl`)
    mkdirSync(this.spool, { recursive: true })
  }

  /** Writes so many hook records, and the transcript lines that go with them. */
  tell(events: number): void {
    const lines: string[] = []
    for (const end = this.events + events; this.events < end; this.events++) this.step(lines)
    appendFileSync(this.transcript, lines.join(''))
  }

  /** Lines of an earlier life of the session. */
  fillTranscript(megabytes: number): void {
    const old = Date.now() - 86_400_000
    const result = { content: [{ type: 'tool_result', tool_use_id: 't', content: 'x'.repeat(8000) }] }
    const lines = Array.from({ length: 125 }, (_, index) =>
      this.line(old + index, { type: 'user', promptId: 'old', message: result }),
    ).join('')
    const file = openSync(this.transcript, 'a')
    for (let written = 0; written < megabytes * 1e6; ) written += writeSync(file, lines)
    // As claude leaves it.
    writeSync(file, this.line(old, { type: 'cost-state', totalCostUSD: 1, modelUsage: {} }))
    closeSync(file)
  }

  private step(lines: string[]): void {
    const place = this.events % (2 * callsPerTurn + 2)
    if (this.events === 0) this.hook('SessionStart', { source: 'resume' })
    else if (place === 0) this.hook('Stop', { last_assistant_message: 'Done.', background_tasks: [] })
    else if (place === 1) {
      this.prompt = crypto.randomUUID()
      this.hook('UserPromptSubmit', { prompt: 'Work on it.' })
    } else this.tool(place % 2 === 0, lines)
  }

  private tool(isBeginning: boolean, lines: string[]): void {
    if (isBeginning) this.call++
    const input = { tool_name: 'Bash', tool_input: { command: `make part-${this.call}`, description: 'Make a part' } }
    if (isBeginning) {
      lines.push(this.message())
      this.hook('PreToolUse', { ...input, tool_use_id: `toolu_${this.call}` })
      return
    }
    const response = { stdout: 'made it, with these words about it\n'.repeat(20), stderr: '', interrupted: false }
    lines.push(this.result(response.stdout))
    this.hook('PostToolUse', { ...input, tool_use_id: `toolu_${this.call}`, tool_response: response, duration_ms: 12 })
  }

  private message(): string {
    const usage = { input_tokens: 10, output_tokens: 20, cache_read_input_tokens: 3000, cache_creation_input_tokens: 5 }
    const content = [
      { type: 'text', text: `Now part ${this.call}, which comes after the one before it. `.repeat(5) },
      { type: 'tool_use', id: `toolu_${this.call}`, name: 'Bash', input: { command: `make part-${this.call}` } },
    ]
    const message = { id: `msg_${this.call}`, model: 'claude-opus-5-5', stop_reason: 'tool_use', usage, content }
    return this.line(Date.now(), { type: 'assistant', requestId: `req_${this.call}`, message })
  }

  private result(stdout: string): string {
    const content = [{ type: 'tool_result', tool_use_id: `toolu_${this.call}`, content: stdout, is_error: false }]
    const more = { promptId: this.prompt, toolUseResult: { stdout, stderr: '' } }
    return this.line(Date.now(), { type: 'user', message: { role: 'user', content }, ...more })
  }

  private line(atMs: number, fields: object): string {
    const common = { sessionId: this.session, version: '2.1.329', cwd: '/home/dev/proj', uuid: crypto.randomUUID() }
    return `${JSON.stringify({ ...fields, timestamp: new Date(atMs).toISOString(), ...common })}\n`
  }

  private hook(name: string, fields: object): void {
    this.lastMicro = Math.max(Date.now() * 1000, this.lastMicro + 1)
    const payload = JSON.stringify({
      session_id: this.session,
      transcript_path: this.transcript,
      cwd: '/',
      hook_event_name: name,
      ...(this.prompt === '' ? {} : { prompt_id: this.prompt }),
      ...fields,
    })
    const header = JSON.stringify({ v: 1, t: this.lastMicro, pid: this.pid, n: payload.length })
    writeFileSync(join(this.spool, `${this.lastMicro}-${this.pid}`), `${header}\n${payload}\n`)
  }
}
