/** `claude-otel copy`: what a hub has kept in SQLite is in ClickHouse once, however often it was stopped. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { decodeJson } from '../../src/receiver/json.ts'
import { openClickHouseStore } from '../../src/store/clickhouse.ts'
import { type AnyStore, openStore, type Store } from '../../src/store/store.ts'
import { batchesOf, recorded } from '../dashboard/recorded.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { startTerminal } from '../kit/terminal.ts'
import { until } from '../kit/until.ts'
import { encodeJson, readRecorded } from '../receiver/messages.ts'
import { type Engine, enginePassword, startEngine, temporaryFolder } from './kit.ts'
import { openRoad } from './road.ts'

// Many questions, one after the other.
setDefaultTimeout(60_000)
const folder = temporaryFolder()
const path = join(folder.path, 'hub.db')
const always = { sinceUnixMicro: 0, untilUnixMicro: Number.MAX_SAFE_INTEGER }
let engine: Engine
let sqlite: Store
let clickhouse: AnyStore

beforeAll(async () => {
  engine = await startEngine(folder.path, 0, { isEmpty: true })
  sqlite = await openStore(path)
  const received = readRecorded('06-full-protobuf-gzip').map(
    ({ signal, body }) => decodeJson(signal, encodeJson(body)).batch,
  )
  for (const batch of [...batchesOf(await recorded('demo')), ...received]) await sqlite.append(batch)
  sqlite.appendHistory([
    {
      id: 'transcript:1',
      source: 'transcript',
      timeUnixMicro: Date.UTC(2026, 10, 18, 12) * 1000,
      sessionId: 'of a transcript',
      orchestrationId: 'of a transcript',
      repository: 'org/proj',
      model: 'claude-opus-5-5',
      inputTokens: 10,
      outputTokens: 20,
      cacheReadTokens: 30,
      cacheCreationTokens: 40,
      cacheCreation1hTokens: 40,
      costUsd: null,
    },
  ])
}, 120_000)
afterAll(async () => {
  sqlite.close()
  await engine.stop()
  await folder.remove()
})

async function copy(
  ...args: string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const child = Bun.spawn([claudeOtelBinary, 'copy', '--json', ...args], {
    env: { HOME: folder.path },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, stdout, stderr }
}

const rounded = async (store: AnyStore) =>
  (await store.usage(['session', 'model', 'project'], always)).map(({ costUsd, ...sum }) => ({
    ...sum,
    usd: costUsd?.toFixed(6),
  }))

test('All of it is there, once, also when it is copied again from its beginning', async () => {
  const to = `http://otel:${enginePassword}@127.0.0.1:${engine.port}/otel`
  const first = await copy('--from', path, '--to', to)
  expect(first).toMatchObject({ code: 0, stderr: '' })
  const { spans, logs, points } = sqlite.counts()
  expect(JSON.parse(first.stdout)).toEqual({ rows: spans + logs + points + 1, before: 0, sums: 0 })
  clickhouse = await openClickHouseStore(engine.place)
  await expectSame()
  expect(JSON.parse((await copy('--from', path, '--to', to)).stdout)).toEqual({
    rows: 0,
    before: spans + logs + points + 1,
    sums: 0,
  })
  await engine.ask('TRUNCATE TABLE claude_marks')
  expect(JSON.parse((await copy('--from', path, '--to', to)).stdout)).toMatchObject({ before: 0 })
  await expectSame()
})

async function expectSame(): Promise<void> {
  const sessions = sqlite.sessions(always, 1000)
  expect(sessions.length).toBeGreaterThan(1)
  for (const { id } of sessions) {
    expect((await clickhouse.session(id))?.lastTime).toBe(sqlite.session(id)?.lastTime ?? -1)
    expect((await clickhouse.sessionSpans(id)).length).toBe(sqlite.sessionSpans(id).length)
    expect((await clickhouse.sessionLogs(id)).length).toBe(sqlite.sessionLogs(id).length)
  }
  expect(await rounded(clickhouse)).toEqual(await rounded(sqlite))
}

test('On a terminal it shows how far it is; stopped by Ctrl-C, it goes on where it was', async () => {
  await engine.ask('CREATE DATABASE second')
  const road = await openRoad(engine.place)
  road.befall(/INSERT INTO otel_metrics_sum/, 'silence')
  const to = `${road.place.url.replace('//', `//otel:${enginePassword}@`)}/second`
  const command = [claudeOtelBinary, 'copy', '--from', path, '--to', to]
  const terminal = await startTerminal({ command, cwd: folder.path, env: { HOME: folder.path }, folder: folder.path })
  await terminal.shows(/[█]+[░]+ \d+ %/)
  await until('it to wait for an answer', () =>
    road.asked.some(({ sql }) => sql.startsWith('INSERT INTO otel_metrics_sum')),
  )
  terminal.press('C-c')
  expect(await terminal.exited()).not.toBe(0)
  terminal.close()
  await road.close()
  const rest = await copy('--from', path, '--to', to.replace(road.place.url.slice(7), engine.place.url.slice(7)))
  const { rows, before } = JSON.parse(rest.stdout)
  const { spans, logs, points } = sqlite.counts()
  expect(before).toBe(spans + logs)
  expect(rows).toBe(points + 1)
})

test('What cannot be meant is refused, in words without a password', async () => {
  const none = await copy('--from', '/nowhere/hub.db', '--to', 'http://otel:secret@127.0.0.1:1/otel')
  expect(none).toMatchObject({ code: 65 })
  const file = await copy('--from', path, '--to', '/a/file')
  expect(file.stderr).toContain('--to is no ClickHouse')
  expect(file.code).toBe(64)
  const gone = await copy('--from', path, '--to', 'http://otel:secret@127.0.0.1:1/otel')
  expect(gone.stderr).toContain('does not answer')
  for (const { stderr } of [none, file, gone]) expect(stderr).not.toContain('secret@')
})
