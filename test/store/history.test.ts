/** What a SQLite store gives away to another store. */
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { type HistoryKind, openSqliteHistory, type SqliteHistory } from '../../src/store/sqlite-history.ts'
import type { UsageRecord } from '../../src/usage/record.ts'
import { batchesOf, recorded } from '../dashboard/recorded.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-history-'))
afterAll(() => rmSync(root, { recursive: true }))

test('An answer of a transcript is given on as it was told, but for its price, and not behind its cursor', () => {
  const path = join(root, 'hub.db')
  const request: UsageRecord = {
    id: 'transcript:1',
    source: 'transcript',
    timeUnixMicro: Date.now() * 1000,
    sessionId: 'a session',
    orchestrationId: 'its conversation',
    repository: 'org/proj',
    querySource: 'subagent',
    agentName: 'general-purpose',
    model: 'claude-opus-5-5',
    inputTokens: 10,
    outputTokens: 20,
    cacheReadTokens: 30,
    cacheCreationTokens: 50,
    cacheCreation1hTokens: 40,
    costUsd: null,
  }
  const store = openSqliteStore(path)
  store.appendHistory([request])
  store.close()
  const history = openSqliteHistory(path)
  const transcripts = (cursors: ReadonlyMap<HistoryKind, string>) =>
    [...history.parts(cursors)].filter(({ kind }) => kind === 'transcript')
  const [part, ...more] = transcripts(new Map())
  expect({ part, more: more.length }).toEqual({
    part: { kind: 'transcript', rows: 1, cursor: 'transcript:1', content: [request] },
    more: 0,
  })
  expect(transcripts(new Map([['transcript', part?.cursor ?? '']]))).toEqual([])
  history.close()
})

test('It is all as it was when it was opened, while a hub goes on writing', async () => {
  const path = join(root, 'busy.db')
  const store = openSqliteStore(path)
  const rowsOf = (history: SqliteHistory) => [...history.parts(new Map())].reduce((sum, { rows }) => sum + rows, 0)
  const slotsOf = (history: SqliteHistory) => [...history.sums()].flat().flatMap(({ slots }) => slots)
  const idsOf = (history: SqliteHistory) => [...history.sessions()].flat().map(({ id }) => id)
  const all = () => {
    const { spans, logs, points } = store.counts()
    return spans + logs + points
  }
  for (const batch of batchesOf(await recorded('demo'))) await store.append(batch)
  const before = all()
  const history = openSqliteHistory(path)
  for (const batch of batchesOf(await recorded('multi'))) await store.append(batch)
  expect(all()).toBeGreaterThan(before)
  const then = { rows: rowsOf(history), slots: slotsOf(history).length, ids: idsOf(history) }
  history.close()
  expect(then.rows).toBe(before)
  const later = openSqliteHistory(path)
  expect(rowsOf(later)).toBe(all())
  expect(slotsOf(later).length).toBeGreaterThan(then.slots)
  expect(then.slots).toBeGreaterThan(0)
  expect(idsOf(later).length).toBeGreaterThan(then.ids.length)
  later.close()
  store.close()
})
