/** What a SQLite store gives away to another store. */
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { type HistoryKind, openSqliteHistory } from '../../src/store/sqlite-history.ts'
import type { UsageRecord } from '../../src/usage/record.ts'

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
