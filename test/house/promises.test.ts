/** What the README promises in tables has a test that shows it: names by being looked at somewhere, rows by a test of a title. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { presetNames, presets, variablesOfPreset } from '../../src/config/presets.ts'

const root = join(import.meta.dir, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const tests = new Map(
  [...new Bun.Glob('test/**/*.{ts,txt}').scanSync(root)]
    .filter((path) => !path.startsWith('test/house/'))
    .map((path) => [path, readFileSync(join(root, path), 'utf8')]),
)

/** First cells of the tables between two places of the README, without their heads. */
function rowsBetween(begin: string, end: string): string[] {
  const text = readme.slice(readme.indexOf(begin), readme.indexOf(end)).replaceAll(/^\|.*\n\| ---.*\n/gm, '')
  return [...text.matchAll(/^\| ([^|]+?) \|/gm)].map(([, cell = '']) => cell)
}

describe('what is recorded', () => {
  for (const table of ['attributes', 'events', 'logs', 'metrics', 'hooks']) {
    test(`every name in the table of ${table} is looked at by a test`, () => {
      const names = rowsBetween(`<!-- ${table}:begin -->`, `<!-- ${table}:end -->`).map((cell) =>
        cell.replaceAll('`', ''),
      )
      expect(names.length).toBeGreaterThan(5)
      const all = [...tests.values()].join('\n')
      expect(names.filter((name) => !all.includes(name))).toEqual([])
    })
  }
})

describe('products', () => {
  test('every one in the table has a receiver that holds us to its documents, and is played with the real claude', () => {
    const rows = rowsBetween('<!-- presets:begin -->', '<!-- presets:end -->')
    expect(rows).toEqual(presetNames.map((name) => presets[name].title))
    for (const name of presetNames)
      expect(tests.get('test/kit/products.ts')).toMatch(new RegExp(`^  ${name}: \\{`, 'm'))
    expect(tests.get('test/rich/presets.test.ts')).toContain('const products = presetNames.map(product)')
  })

  test('every variable in the table is looked at by a test', () => {
    const looked = [...tests.values()].join('\n')
    const variables = presetNames.flatMap(variablesOfPreset)
    expect(variables.length).toBeGreaterThan(20)
    expect(variables.filter((name) => !looked.includes(name))).toEqual([])
    expect(variables.filter((name) => !readme.includes(`\`${name}\``))).toEqual([])
  })
})

/** By the beginning of a row: the test that shows it, as `file: title or a part of it`. */
type Proofs = Readonly<Record<string, readonly string[]>>

const lost: Proofs = {
  'the wrapper or a pump is killed': [
    'faults/kill.test.ts: the wrapper is killed',
    'faults/double.test.ts: then at any step',
  ],
  'the wrapper is killed before it has made': ['faults/kill.test.ts: isOrphaned: true'],
  'a hook is killed before': ['faults/kill.test.ts: a hook is killed', 'session/tool-reports.test.ts: though the hook'],
  'claude is killed': ['faults/kill.test.ts: claude is killed while it waits for the model'],
  'the disk is full, or the state folder': [
    'faults/disk.test.ts: on a disk that is full for a while',
    'faults/disk.test.ts: a folder that is read-only',
  ],
  'the hub dies, or is stopped': ['hub/background.test.ts: has a hub that dies meanwhile started again'],
  'no home is known': ['faults/disk.test.ts: where no home is known'],
  'a record or the journal is cut': [
    'faults/disk.test.ts: in the spool, at every byte',
    'faults/disk.test.ts: in the journal, at every byte',
  ],
  'a file is there that a later version': ['faults/disk.test.ts: a later version’s journal'],
  'undelivered runs are older': ['faults/disk.test.ts: of size lets the oldest', 'faults/disk.test.ts: of age lets go'],
  'a single session’s journal reaches': ['session/pump.test.ts: takes only what ends something'],
  'hooks are registered twice': [
    'session/pump.test.ts: counts once when both records come',
    'health/health.test.ts: a hook that came twice',
  ],
  'is not there, hangs': [
    'faults/collector.test.ts: is kept, and delivered once by drain',
    'faults/collector.test.ts: says when to come again',
  ],
  'answers 401, 403': ['faults/collector.test.ts: knows us and does not let us in'],
  'answers 413': ['export/delivery.test.ts: tooLarge'],
  'answers anything else': ['faults/collector.test.ts: is counted and not sent again'],
  'takes a part of it': ['faults/collector.test.ts: takes only a part of it'],
  'is away for longer than the queue': ['session/recover.test.ts: more than memory has room for'],
  'got an export, but we were killed': ['faults/kill.test.ts: export.sent@wrap', 'export/metrics.test.ts: again'],
}

/** What no test can show here: it says so in the table. */
const beyond = ['the machine loses power', 'the state folder is on a network file system']

const kept: Proofs = {
  content: ['privacy/binary.test.ts: ', 'telemetry/content.test.ts: '],
  names: ['privacy/places.test.ts: lets no secret out of any of its fields'],
  ids: ['privacy/places.test.ts: lets no secret out of any of its fields'],
  environment: ['privacy/binary.test.ts: '],
}

describe.each([
  ['what is lost', rowsBetween('## What is lost', '## Settings'), lost],
  ['what is kept of what', rowsBetween('### What is kept of what', '<!-- content:begin -->'), kept],
] as const)('the table of %s', (_, rows, proofs) => {
  test('has a test for each row, and each of these tests is there', () => {
    const proven = (row: string) => Object.keys(proofs).find((begin) => row.startsWith(begin))
    const open = rows.filter((row) => proven(row) === undefined && !beyond.some((begin) => row.startsWith(begin)))
    expect(open).toEqual([])
    expect(new Set(rows.map(proven).filter((key) => key !== undefined)).size).toBe(Object.keys(proofs).length)
    const missing = Object.values(proofs)
      .flat()
      .filter((proof) => {
        const [file = '', ...title] = proof.split(': ')
        return tests.get(`test/${file}`)?.includes(title.join(': ')) !== true
      })
    expect(missing).toEqual([])
  })
})
