/** Reading the folder that hooks write into. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSpool, removeFromSpool, Spool } from '../../src/session/spool.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-spool-'))
afterAll(() => rmSync(root, { recursive: true }))

const at = 1_795_000_000_000_000
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(root, 'spool-'))
})

function record(payload: string | Uint8Array, more: object = {}): Buffer {
  const body = Buffer.from(payload)
  const header = JSON.stringify({ v: 1, t: at, pid: 42, as: 'pre', n: body.toString().length, ...more })
  return Buffer.concat([Buffer.from(`${header}\n`), body, Buffer.from('\n')])
}

function put(name: string, data: string | Uint8Array, ageMs = 0): void {
  const path = join(folder, name)
  writeFileSync(path, data)
  const then = new Date(Date.now() - ageMs)
  utimesSync(path, then, then)
}

const read = (isFinal = false, until = Number.POSITIVE_INFINITY) => readSpool(folder, until, isFinal)

describe('a whole record', () => {
  test('is read with its time, its claude and its payload, byte for byte', () => {
    const payload = '{"a":"é\\n"}\n\n{"second":"line"}'
    put(`${at}-7`, record(payload, { tp: '00-a-b-01' }))
    expect(read()).toEqual({
      records: [{ from: `${at}-7`, at, pid: 42, traceparent: '00-a-b-01', payload }],
      broken: [],
      waiting: 0,
    })
  })

  test('may be empty', () => {
    put(`${at}-7`, record(''))
    expect(read().records[0]?.payload).toBe('')
  })

  test('comes in the order of time, whatever the folder’s order is', () => {
    const times = [5, 3, 9, 1, 7]
    for (const time of times) put(`${at + time}-${100 - time}`, record(String(time), { t: at + time }))
    expect(read().records.map(({ payload }) => payload)).toEqual(['1', '3', '5', '7', '9'])
  })

  test('of later than asked for is left for later', () => {
    for (const time of [1, 2, 3]) put(`${at + time}-1`, record(String(time), { t: at + time }))
    expect(read(false, at + 2).records.map(({ payload }) => payload)).toEqual(['1', '2'])
  })
})

describe('a record that is not whole', () => {
  const whole = record('{"hook_event_name":"Stop"}')

  test('is left alone while its hook may still be writing, wherever it breaks off', () => {
    for (let length = 0; length < whole.length; length++) {
      put(`${at}-7`, whole.subarray(0, length))
      expect(read()).toEqual({ records: [], broken: [], waiting: 1 })
    }
    put(`${at}-7`, whole)
    expect(read().records).toHaveLength(1)
  })

  test('is broken when it has been so for long, wherever it breaks off', () => {
    for (let length = 0; length < whole.length; length++) {
      put(`${at}-7`, whole.subarray(0, length), 60_000)
      const { records, broken } = read()
      expect(records).toEqual([])
      expect(broken).toEqual([{ from: `${at}-7`, at, reason: expect.any(String), bytes: length }])
    }
  })

  test('is broken when no hook is left that could write', () => {
    put(`${at}-7`, whole.subarray(0, 60))
    expect(read(true).broken).toHaveLength(1)
  })

  test.each([
    ['longer than announced', Buffer.concat([whole, Buffer.from('x')])],
    ['without a line feed at its end', Buffer.concat([whole.subarray(0, -1), Buffer.from('x')])],
    ['of another version', record('{}', { v: 2 })],
    ['without a time', record('{}', { t: undefined })],
    ['with a size that is no number', record('{}', { n: '2' })],
    ['with a negative size', record('{}', { n: -1 })],
    ['with a header that is no object', '[]\n{}\n'],
    ['that is binary garbage', Buffer.from([0, 255, 10, 254, 10])],
  ])('is no record of ours: %s', (_, data) => {
    put(`${at}-7`, data, 60_000)
    expect(read().records).toEqual([])
    expect(read().broken).toHaveLength(1)
  })
})

describe('a file of somebody else', () => {
  test('is told as broken, at the time it was found', () => {
    put('.DS_Store', 'anything', 60_000)
    const [broken] = read().broken
    expect(broken?.from).toBe('.DS_Store')
    expect(Math.abs((broken?.at ?? 0) / 1000 - Date.now())).toBeLessThan(60_000)
  })

  test('does not hide the records beside it, even when it is a folder', () => {
    put(`${at}-7`, record('{}'))
    mkdirSync(join(folder, 'a-folder'))
    expect(read(true).records).toHaveLength(1)
  })
})

describe('the spool', () => {
  test('that is not there holds nothing', () => {
    expect(readSpool(join(folder, 'gone'), Number.POSITIVE_INFINITY, true)).toEqual({
      records: [],
      broken: [],
      waiting: 0,
    })
  })

  test('loses what is removed and nothing else; what is gone already is no matter', () => {
    for (const name of ['1-1', '2-1', '3-1']) put(name, record('{}'))
    removeFromSpool(folder, ['1-1', '3-1', 'never-there'])
    expect(readdirSync(folder)).toEqual(['2-1'])
  })

  test('is read a piece at a time, by files and by bytes, until everything was', () => {
    for (let index = 0; index < 600; index++) put(`${at + index}-1`, record(String(index), { t: at + index }))
    for (const [name, size] of [
      ['a', 700_000],
      ['b', 700_000],
      ['c', 1],
    ] as const)
      put(`${at + 600 + name.charCodeAt(0)}-1`, record(name.repeat(size), { t: at + 600 + name.charCodeAt(0) }))
    const spool = new Spool(folder)
    const pieces: number[] = []
    const seen: string[] = []
    for (let isFull = true; isFull; ) {
      const { records, fullAt } = spool.read(Number.POSITIVE_INFINITY, false)
      pieces.push(records.length)
      seen.push(...records.map(({ from }) => from))
      removeFromSpool(
        folder,
        records.map(({ from }) => from),
      )
      isFull = fullAt !== undefined
      if (isFull) expect(fullAt).toBe(records.at(-1)?.at)
    }
    expect(pieces).toEqual([250, 250, 102, 1])
    expect(seen).toEqual(seen.toSorted())
    expect(new Set(seen).size).toBe(603)
    expect(readdirSync(folder)).toEqual([])
  })

  test('gives again what was read and not removed', () => {
    for (let index = 0; index < 300; index++) put(`${at + index}-1`, record('x', { t: at + index }))
    const spool = new Spool(folder)
    const [first, second] = [spool.read(Number.POSITIVE_INFINITY, false), spool.read(Number.POSITIVE_INFINITY, false)]
    expect(second.records.map(({ from }) => from)).toEqual(first.records.map(({ from }) => from))
  })
})
