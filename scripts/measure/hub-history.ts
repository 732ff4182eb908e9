/** The hub over a store that is full: how soon every view of the dashboard has its answer, and how fast transcripts are taken. */
import { closeSync, futimesSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createHubHome } from '../../test/hub/kit.ts'
import { BINARY } from '../build.ts'
import { type FullStore, fillStore } from '../full-store.ts'
import { type Measure, ms, quantile } from './kit.ts'

const SPANS = 1_000_000
const ASKED = 40
/** With `--large`, a gigabyte. */
const TRANSCRIPT_MB = process.argv.includes('--large') ? 1000 : 100
const FILE_MB = 5

/** Every question of every page, to the hub with weeks of work in its store. */
export async function measureQueries(): Promise<Measure[]> {
  const home = createHubHome()
  try {
    const store = join(home.path, 'hub.db')
    const full = await fillStore(store, SPANS)
    const hub = await home.start(['--store', store])
    try {
      const answers: { readonly name: string; readonly p95: number }[] = []
      for (const [name, paths] of Object.entries(questionsOf(full)))
        answers.push({ name, p95: quantile(await ask(hub.port, paths), 0.95) })
      const large = quantile(await ask(hub.port, firstLooks(full)), 0.95)
      const { spans, logs, points, sessions } = full
      const from = answers.map(({ name, p95 }) => `${name} ${ms(p95)}`).join(', ')
      return [
        {
          name: 'hub.queries',
          title: `The slowest view at ${spans} spans, ${logs} log records, ${points} points of ${sessions.length} sessions, p95`,
          value: Math.max(...answers.map(({ p95 }) => p95)),
          unit: 'ms',
          from: `${from}; ${ASKED} requests each`,
        },
        {
          name: 'hub.queries.large',
          title: 'The same, first look at a session of 10000 spans',
          value: large,
          unit: 'ms',
          from: 'read part by part, others have their turn in between; the next looks cost what a page of rows does',
        },
      ]
    } finally {
      await hub.end()
    }
  } finally {
    home.remove()
  }
}

/** Of each view the requests of its page, over sessions and spans that lie far from one another. */
function questionsOf({ sessions, spanIds }: FullStore): Record<string, readonly string[]> {
  const usual = spread(sessions.filter(({ spans }) => spans < 1000))
  const some = (path: string) => Array.from({ length: ASKED }, () => path)
  const history = Object.fromEntries(
    ['day', 'model', 'project', 'sessionId'].map((by) => [`history by ${by}`, some(`history?by=${by}&days=30`)]),
  )
  const large = sessions.filter(({ spans }) => spans >= 4000)
  return {
    now: some('now'),
    health: some('health'),
    ...history,
    session: usual.map(({ id }) => `sessions/${id}`),
    rows: usual.flatMap(({ id }) => [`sessions/${id}/rows?offset=0&limit=200`]),
    logs: usual.map(({ id }) => `sessions/${id}/logs?offset=0&limit=200`),
    'late logs of a large session': spread(large).map(({ id }) => `sessions/${id}/logs?offset=1900&limit=200`),
    span: spread(spanIds.slice(7)).map(([id, spanId]) => `sessions/${id}/rows/${spanId}`),
  }
}

function firstLooks({ sessions }: FullStore): readonly string[] {
  return sessions.filter(({ spans }) => spans === 10_000).map(({ id }) => `sessions/${id}`)
}

function spread<Item>(items: readonly Item[]): readonly Item[] {
  const step = Math.max(1, Math.floor(items.length / ASKED))
  return items.filter((_, index) => index % step === 0).slice(0, ASKED)
}

/** Milliseconds of each, one after another; the first, which warms the code, is not counted where it is asked again. */
async function ask(port: number, paths: readonly string[]): Promise<number[]> {
  const times: number[] = []
  for (const path of paths) {
    const startMs = performance.now()
    const response = await fetch(`http://127.0.0.1:${port}/api/${path}`)
    await response.arrayBuffer()
    times.push(performance.now() - startMs)
    if (response.status !== 200) throw new Error(`${path}: ${response.status}`)
  }
  return times
}

/** Transcripts as Claude Code leaves them, most of their bytes tool results. */
export async function measureBackfill(): Promise<Measure[]> {
  const home = createHubHome()
  try {
    const folder = join(home.path, 'projects', 'project')
    mkdirSync(folder, { recursive: true })
    const answers = Array.from({ length: TRANSCRIPT_MB / FILE_MB }, (_, index) => writeTranscript(folder, index))
    const expected = answers.reduce((sum, count) => sum + count, 0)
    const child = Bun.spawn([BINARY, 'backfill', folder, '--json', '--store', join(home.path, 'hub.db')], {
      env: { PATH: process.env.PATH ?? '', HOME: home.path },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const { newRequests, bytes, seconds } = JSON.parse(await new Response(child.stdout).text())
    if (newRequests !== expected) throw new Error(`${newRequests} of ${expected} answers were counted`)
    return [
      {
        name: 'hub.backfill',
        title: `Transcripts of ${TRANSCRIPT_MB} MB into the store`,
        value: bytes / 1e6 / seconds,
        unit: 'MB/s',
        from: `${newRequests} answers in ${answers.length} files, ${seconds.toFixed(1)} s`,
      },
    ]
  } finally {
    home.remove()
  }
}

/** Gives how many answers it has. */
function writeTranscript(folder: string, number: number): number {
  const sessionId = `${number.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`
  const file = openSync(join(folder, `${sessionId}.jsonl`), 'w')
  const line = (index: number, fields: object): string => {
    const timestamp = new Date(Date.UTC(2026, 9, 1) + number * 3_600_000 + index * 1000).toISOString()
    return `${JSON.stringify({ ...fields, sessionId, timestamp, version: '2.1.329', cwd: '/home/dev/project' })}\n`
  }
  const output = 'made it, with these words about it\n'.repeat(200)
  let index = 0
  for (let written = 0; written < FILE_MB * 1e6; index++) {
    const usage = { input_tokens: 10, output_tokens: index, cache_read_input_tokens: 3000 }
    const content = [{ type: 'text', text: `Now part ${index}. `.repeat(40) }]
    const message = { id: `msg_${number}_${index}`, model: 'claude-opus-5-5', usage, content }
    const result = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: output }] }
    const answer = line(index, { type: 'assistant', requestId: `req_${number}_${index}`, message })
    written += writeSync(file, `${answer}${line(index, { type: 'user', message: result })}`)
  }
  // Long ago, or its last answer would not be complete yet.
  futimesSync(file, 1_790_000_000, 1_790_000_000)
  closeSync(file)
  return index
}
