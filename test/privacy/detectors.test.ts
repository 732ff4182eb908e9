/** Every row of the table of detectors: what it finds, wherever a preview’s edge cuts, and how long it takes at most. */
import { describe, expect, test } from 'bun:test'
import { type Detector, detectorNames, detectors } from '../../src/telemetry/detectors.ts'
import { createPreview } from '../../src/telemetry/preview.ts'
import { createRedactor, defaultRedaction } from '../../src/telemetry/redact.ts'
import { leastCostMs } from '../kit/cost.ts'
import { findLeaks, type Planted, plant } from './secrets.ts'

const seeds = [1, 2, 3, 4, 5]
const { redact } = createRedactor(defaultRedaction)
const mask = (text: string): string => redact(text)

describe('planted secrets', () => {
  test.each([...detectorNames])('there are two and more of kind %s', (name) => {
    expect(plant(1).filter(({ kind }) => kind === name).length).toBeGreaterThan(1)
  })

  test.each(seeds)('are found as what they are, to their ends (seed %d)', (seed) => {
    const missed = plant(seed).flatMap((each) => {
      const masked = redact(each.text)
      const isKnown = masked.includes(`[REDACTED:${each.kind}]`)
      return [...findLeaks(masked, [each]), ...(isKnown ? [] : [`not told as ${each.kind}: ${masked}`])]
    })
    expect(missed).toEqual([])
  })

  test('are found inside of JSON, once and twice', () => {
    const quoted = plant(6).flatMap((each) =>
      [1, 2].flatMap((depth) => {
        let text = each.text
        for (let at = 0; at < depth; at += 1) text = JSON.stringify({ output: text })
        return findLeaks(redact(text), [each])
      }),
    )
    expect(quoted).toEqual([])
  })

  test('are masked once: masking again changes nothing', () => {
    for (const { text } of plant(7)) expect(redact(redact(text))).toBe(redact(text))
  })

  test('show no half wherever a preview ends', () => {
    const halves = plant(8).flatMap((each) => {
      const text = `before it ${each.text} after it`
      const lengths = Array.from({ length: Math.min(text.length, 300) }, (_, index) => index + 1)
      return lengths.flatMap((length) => findLeaks(createPreview(text, length, mask).text, [each]))
    })
    expect(halves).toEqual([])
  })

  test('show no half where the masked window ends in them, and what was masked before has moved them to the front', () => {
    const masked = `${'x'.repeat(20)} sk-ant-${'k7Q'.repeat(900)} `
    const halves = plant(9).flatMap((each) => cuts(each).flatMap((cut) => findLeaks(atEdge(each, cut, masked), [each])))
    expect(halves).toEqual([])
  })
})

/** Places inside of the secret’s text. */
function cuts({ text }: Planted): number[] {
  return Array.from({ length: Math.min(text.length, 400) }, (_, index) => index + 1).filter((at) => at % 7 === 0)
}

const previewChars = 300
const windowChars = previewChars + 16_384

/** A preview whose window ends after `cut` characters of the secret’s text, behind much that is masked. */
function atEdge({ text }: Planted, cut: number, masked: string): string {
  const before = masked.repeat(20).slice(0, windowChars - cut - 1)
  return createPreview(`${before} ${text}${' and more'.repeat(3000)}`, previewChars, mask).text
}

describe('time', () => {
  /** Alone, and in the words that make patterns try: beginnings, near matches, what can be repeated. */
  const units = [
    ...['-----BEGIN PRIVATE KEY-----\n', '-----BEGIN PRIVATE KEY', `${'A'.repeat(64)}\n`, 'Private-Lines: 1\n'],
    ...['password   =   ', 'password="\\', 'token: \\"', "secret='", 'password is ', 'A_', '<token>', 'key=', '_key'],
    ...[
      'a+a.a-a://',
      'http://user:password ',
      'http://a:a:a:',
      ';password=',
      'pwd=a',
      '-eyJaaaaaaaaaaaa',
      'eyJaaaaaaaa.eyJ',
    ],
    ...['curl -u ', 'curl -b ', 'mysql -p', 'sshpass -p ', 'docker login ', '--a-b-c-password ', ' -passin '],
    ...[
      'authorization:  bearer  basic  ',
      'cookie: a=',
      'x-a-key: ',
      'basic a',
      'dd key ',
      'datadog',
      'AKIA',
      'aws secret key ',
    ],
    ...['0123456789abcdef', 'Aa1', ' ', '\n', '"', '\\'],
  ]
  const repeat = (unit: string, length: number): string => unit.repeat(Math.ceil(length / unit.length)).slice(0, length)
  const bytes = 1 << 20

  test.each(detectors.map((detector: Detector) => [detector.name, detector] as const))(
    'that %s takes grows no faster than the text',
    (_, { finds, name }) => {
      // Its own markers stand at the end too, so that no text is left out for having none.
      for (const { pattern, markers } of finds) {
        for (const unit of [...units, ...markers, ...markers.map((marker) => `${marker}${'a1B'.repeat(8)} `)]) {
          const [short = 0, long = 0] = [bytes / 4, bytes].map((length) =>
            leastCostMs(() => void repeat(unit, length).replace(pattern, (match) => match), 2),
          )
          // Four times the text: 4 when linear, 16 when quadratic. Below some milliseconds chance decides.
          if (long / Math.max(short, 4) > 12)
            throw new Error(`${name} on ${JSON.stringify(unit)}: ${short} → ${long} ms`)
        }
      }
    },
    60_000,
  )

  test('that all of them take together grows no faster than the text', () => {
    for (const unit of units) {
      const [short = 0, long = 0] = [bytes / 4, bytes].map((length) =>
        leastCostMs(() => void redact(repeat(unit, length)), 2),
      )
      expect(long / Math.max(short, 4)).toBeLessThan(12)
    }
  }, 60_000)
})
