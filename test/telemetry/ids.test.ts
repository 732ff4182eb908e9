/** Derived ids: their shape, and that nothing but their key decides them. */
import { describe, expect, test } from 'bun:test'
import { deriveSpanId, deriveTraceId, deriveUlid, deriveUuid } from '../../src/telemetry/ids.ts'

const keys = Array.from({ length: 5000 }, (_, index) => `key ${index}`)

describe('derived ids', () => {
  test('a trace id is 32 lower-case hex digits, never all zero', () => {
    for (const key of ['', 'é', ...keys]) expect(deriveTraceId(key)).toMatch(/^(?!0{32})[0-9a-f]{32}$/)
  })

  test('a span id is 16 lower-case hex digits, never all zero', () => {
    for (const key of ['', 'é', ...keys]) expect(deriveSpanId('t', key)).toMatch(/^(?!0{16})[0-9a-f]{16}$/)
  })

  test('a service instance id is a UUID of version 8', () => {
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
    for (const key of keys) expect(deriveUuid(key)).toMatch(uuid)
  })

  test('a ULID is 26 letters of Crockford’s alphabet, and sorts by its time', () => {
    for (const key of keys) expect(deriveUlid(1_800_000_000_000, key)).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
    const times = [0, 1, 31, 32, 1023, 1024, 1_800_000_000_000, 1_800_000_000_001, 2 ** 48 - 1]
    const ulids = times.map((time) => deriveUlid(time, 'k'))
    expect(ulids.toSorted()).toEqual(ulids)
    expect(ulids.map((ulid) => ulid.slice(0, 10))).toEqual([
      '0000000000',
      '0000000001',
      '000000000Z',
      '0000000010',
      '00000000ZZ',
      '0000000100',
      ...ulids.slice(6, 8).map((ulid) => ulid.slice(0, 10)),
      '7ZZZZZZZZZ',
    ])
  })

  test('the same key gives the same ids in every release, so that a replay of an old journal meets its own spans', () => {
    expect(deriveTraceId('run')).toBe('2a15cb42ffcd5ddb02df23283bfe894a')
    expect(deriveSpanId('t', 'tool:1')).toBe('026327598e0dd2cb')
    expect(deriveUlid(1_800_000_000_000, 'run:0')).toBe('01MCC5RM00V0NC5XABJS80J6NP')
    expect(deriveUuid('run')).toBe('9f218a43-42b4-8e27-bd78-4603e975121f')
  })

  test('different keys, and the same key in different traces, give different ids', () => {
    expect(new Set(keys.map(deriveTraceId)).size).toBe(keys.length)
    expect(new Set(keys.map((key) => deriveSpanId('t', key))).size).toBe(keys.length)
    expect(new Set(keys.map(deriveUuid)).size).toBe(keys.length)
    expect(new Set(keys.map((key) => deriveUlid(0, key))).size).toBe(keys.length)
    expect(deriveSpanId('one', 'tool:1')).not.toBe(deriveSpanId('two', 'tool:1'))
  })
})
