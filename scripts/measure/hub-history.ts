/** The hub over a store that is full: how soon every view of the dashboard has its answer, and how fast transcripts are taken. */
import { closeSync, futimesSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { openStore } from '../../src/store/store.ts'
import { createHubHome } from '../../test/hub/kit.ts'
import { BINARY } from '../build.ts'
import { type FullStore, fillStore } from '../full-store.ts'
import { askPaths, askViews, slowestOf } from './hub-views.ts'
import { type Measure, quantile } from './kit.ts'

const SPANS = 1_000_000
const ASKED = 40
/** With `--large`, a gigabyte. */
const TRANSCRIPT_MB = process.argv.includes('--large') ? 1000 : 100
const FILE_MB = 5

/** The hub with weeks of work in SQLite. */
export async function measureQueries(): Promise<Measure[]> {
  const home = createHubHome()
  try {
    const store = join(home.path, 'hub.db')
    const full = await fillSqlite(store)
    const hub = await home.start(['--store', store])
    try {
      const answers = await askViews(hub.port, full, ASKED)
      const large = quantile(await askPaths(hub.port, firstLooks(full)), 0.95)
      const { spans, logs, points, sessions } = full
      return [
        {
          name: 'hub.queries',
          title: `The slowest view at ${spans} spans, ${logs} log records, ${points} points of ${sessions.length} sessions, p95`,
          ...slowestOf(answers, `${ASKED} requests each`),
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

async function fillSqlite(path: string): Promise<FullStore> {
  const store = await openStore(path)
  try {
    return await fillStore(store, SPANS)
  } finally {
    store.close()
  }
}

function firstLooks({ sessions }: FullStore): readonly string[] {
  return sessions.filter(({ spans }) => spans === 10_000).map(({ id }) => `sessions/${id}`)
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
