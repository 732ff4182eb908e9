/** The feed: numbered changes, what is kept of them, and what a stream of them says to who comes, comes back or does not read. */
import { afterEach, describe, expect, test } from 'bun:test'
import { openEventStreams } from '../../src/dashboard/event-stream.ts'
import { type Change, createFeed, type Feed } from '../../src/dashboard/feed.ts'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import { until } from '../kit/until.ts'
import { Story, second } from './story.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

function open(options: Parameters<typeof createFeed>[0]): { readonly feed: Feed; readonly changes: Change[] } {
  const feed = createFeed(options)
  const changes: Change[] = []
  feed.onChange((change) => changes.push(change))
  closers.push(() => feed.close())
  return { feed, changes }
}

function batchOf(sessionId: string): OtlpBatch {
  const story = new Story(sessionId, 1_700_000_000 * second)
  story.log('claude.user_prompt', 0, {})
  return { signal: 'logs', logs: story.logs }
}

describe('The feed', () => {
  test('tells which sessions have news, at once, and then what came together as one', async () => {
    const { feed, changes } = open({ gatherMs: 30 })
    feed.publish(batchOf('a'))
    expect(changes).toEqual([{ id: feed.lastId, sessions: ['a'], signals: ['logs'] }])
    for (const id of ['b', 'c', 'b']) feed.publish(batchOf(id))
    expect(changes).toHaveLength(1)
    await until('the second change', () => changes.length === 2)
    expect(changes[1]).toMatchObject({ sessions: ['b', 'c'] })
  })

  test('tells what the hub itself has to say', () => {
    const { feed, changes } = open({ gatherMs: 0 })
    feed.announce(['a'])
    expect(changes).toEqual([{ id: feed.lastId, sessions: ['a'], signals: ['guard'] }])
  })

  test('says what happened since, as far back as it goes', () => {
    const { feed, changes } = open({ capacity: 3, gatherMs: 0 })
    const start = feed.lastId
    for (const id of ['a', 'b', 'c']) feed.publish(batchOf(id))
    expect(feed.after(start)).toEqual(changes)
    expect(feed.after(changes[1]?.id ?? '')).toEqual(changes.slice(2))
    expect(feed.after(feed.lastId)).toEqual([])
    feed.publish(batchOf('d'))
    expect(feed.after(start)).toBeUndefined()
  })

  test('knows nothing of another life, of the future, or of what is no number', () => {
    const { feed } = open({ gatherMs: 0 })
    feed.publish(batchOf('a'))
    const [life] = feed.lastId.split('-')
    expect(createFeed().after(feed.lastId)).toBeUndefined()
    expect(feed.after(createFeed().lastId)).toBeUndefined()
    const strange = ['zzz-1', `${life}-2`, `${life}-`, `${life}-x`, `${life}--1`, `${life}-1-1`, life ?? '', '', 'x']
    expect(strange.filter((id) => feed.after(id) !== undefined)).toEqual([])
  })
})

describe('A stream of events', () => {
  async function readUntil(response: Response, words: string): Promise<string> {
    const reader = response.body?.getReader()
    const decoder = new TextDecoder()
    let text = ''
    while (!text.includes(words)) {
      const { value, done } = (await reader?.read()) ?? { value: undefined, done: true }
      if (done) break
      text += decoder.decode(value as Uint8Array)
    }
    reader?.releaseLock()
    return text
  }

  test('begins with reset, goes on with changes, and says when it is still there', async () => {
    const { feed } = open({ gatherMs: 0 })
    const streams = openEventStreams(feed, { heartbeatMs: 20 })
    closers.push(() => streams.close())
    const response = streams.open(null)
    expect(await readUntil(response, 'data: {}\n\n')).toBe(
      `retry: 1000\n\nid: ${feed.lastId}\nevent: reset\ndata: {}\n\n`,
    )
    feed.publish(batchOf('a'))
    const data = JSON.stringify({ sessions: ['a'], signals: ['logs'] })
    const text = await readUntil(response, ': still here\n\n')
    expect(text).toContain(`id: ${feed.lastId}\nevent: change\ndata: ${data}\n\n`)
  })

  test('tells who comes back what was missed, or to read all again where that is not known', async () => {
    const { feed } = open({ gatherMs: 0, capacity: 2 })
    const streams = openEventStreams(feed)
    closers.push(() => streams.close())
    const heard = feed.lastId
    feed.publish(batchOf('a'))
    feed.publish(batchOf('b'))
    const text = await readUntil(streams.open(heard), '"b"')
    expect(text).toContain('"a"')
    expect(text).not.toContain('event: reset')
    feed.publish(batchOf('c'))
    expect(await readUntil(streams.open(heard), 'data: {}\n\n')).toContain('event: reset')
  })

  test('lets go of a client that does not read, and of one that has gone', async () => {
    const { feed } = open({ gatherMs: 0 })
    const streams = openEventStreams(feed, { maxWaitingBytes: 1000 })
    closers.push(() => streams.close())
    const slow = streams.open(null)
    const gone = streams.open(null)
    expect(streams.count).toBe(2)
    await gone.body?.cancel()
    expect(streams.count).toBe(1)
    for (let index = 0; index < 30; index += 1) feed.publish(batchOf(`session-${index}`))
    expect(streams.count).toBe(0)
    expect(slow.text()).rejects.toThrow('does not read')
  })

  test('is refused where too many listen already', () => {
    const { feed } = open({ gatherMs: 0 })
    const streams = openEventStreams(feed, { maxClients: 1 })
    closers.push(() => streams.close())
    expect(streams.open(null).status).toBe(200)
    expect(streams.open(null).status).toBe(503)
  })
})
