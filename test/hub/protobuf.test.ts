/**
 * Our reader of protobuf before Google's as the judge: generated requests in all the liberties that the wire format gives, broken
 * ones too, are read as Google's library reads them; and the schema that the tests go by is the official one.
 */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import fc from 'fast-check'
import { FOREIGN, pythonBinary } from '../../scripts/foreign-clients.ts'
import {
  encodeProtobuf,
  everything,
  field,
  type Request,
  requestType,
  schemaFields,
  signals,
} from '../receiver/messages.ts'
import { jsonOutcome, ourOutcome } from '../receiver/oracle.ts'
import { wireMessage } from '../receiver/wire-messages.ts'

const seed = 20_261_121

/** Of the profiles signal alone: references into a table that no other request has. */
const ofProfiles = { KeyValue: { 3: 'key_strindex' }, AnyValue: { 8: 'string_value_strindex' } }

test('The schema of the tests is that of the Python SDK', async () => {
  const official = JSON.parse(await judge(['schema'], ''))
  for (const [name, fields] of Object.entries(ofProfiles)) {
    expect(official[name]).toMatchObject(fields)
    for (const number of Object.keys(fields)) delete official[name][number]
  }
  expect(official).toEqual(schemaFields())
})

describe.each(signals)('Requests of %s', (signal) => {
  async function judged(messages: readonly Buffer[]): Promise<number> {
    const lines = messages.map((message) => `${signal} ${message.toString('base64')}\n`)
    const read: (Request | null)[] = (await judge([], lines.join('')))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(read).toHaveLength(messages.length)
    let decoded = 0
    for (const [index, message] of messages.entries()) {
      const request = read[index] ?? null
      const wanted = request === null ? 'refused' : jsonOutcome(signal, request)
      const ours = ourOutcome(signal, message)
      if (Bun.deepEquals(ours, wanted, true)) decoded += ours === 'refused' ? 0 : 1
      else
        expect({ message: message.toString('hex'), read: ours }).toEqual({
          message: message.toString('hex'),
          read: wanted,
        })
    }
    return decoded
  }

  test('are read as the judge reads them, fields said again, numbers of more bytes than they need and all', async () => {
    const messages = fc.sample(wireMessage(requestType(signal), 'all'), { seed, numRuns: 1000 })
    expect(await judged(messages)).toBeGreaterThan(900)
  })

  test('that end too early are refused wherever the judge refuses them', async () => {
    const message = encodeProtobuf(signal, everything[signal])
    const cuts = Array.from({ length: message.length }, (_, length) => message.subarray(0, length))
    expect(await judged([...cuts, message])).toBe(2)
  })

  test('that hold values or strange groups in one another are refused from the same depth on', async () => {
    const depths = Array.from({ length: 80 }, (_, index) => 25 + index)
    const values = depths.map((depth) => field(1, field(1, nested(depth))))
    const groups = depths.map((depth) => Buffer.concat([Buffer.alloc(depth, 0x7b), Buffer.alloc(depth, 0x7c)]))
    const decoded = await judged([...values, ...groups])
    expect(decoded).toBeGreaterThan(80)
    expect(decoded).toBeLessThan(160)
  })
})

/** An attribute of a resource, whose value has so many lists in one another. */
function nested(depth: number): Buffer {
  let value: Buffer = Buffer.alloc(0)
  for (let count = 0; count < depth; count++) value = field(5, field(1, value))
  return field(1, field(2, value))
}

async function judge(args: readonly string[], input: string): Promise<string> {
  const child = Bun.spawn([await pythonBinary(), join(FOREIGN, 'judge.py'), ...args], {
    stdio: [Buffer.from(input), 'pipe', 'inherit'],
  })
  const said = await new Response(child.stdout).text()
  expect(await child.exited).toBe(0)
  return said
}
