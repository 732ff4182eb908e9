/** What scripts/test.ts makes of a report of `bun test`: nothing that went wrong may count as nothing. */
import { describe, expect, test } from 'bun:test'
import { parseReport } from '../../scripts/test.ts'

const FILE = 'test/a.test.ts'
const report = (counts: string, file = FILE) =>
  `<?xml version="1.0"?>\n<testsuites name="bun test" ${counts}>\n  <testsuite name="x" file="${file}" tests="9" failures="9" skipped="9">`

describe('A report', () => {
  test('gives the counts of its root', () => {
    const xml = report('tests="7" assertions="9" failures="2" skipped="1"')
    expect(parseReport(xml, [FILE], 1)).toEqual({ passed: 4, failed: 2, skipped: 1 })
  })

  test('counts a file that could not be loaded as one failure', () => {
    const xml = report('tests="3" assertions="3" failures="0" skipped="0"')
    expect(parseReport(xml, [FILE, 'test/broken.test.ts'], 1)).toEqual({ passed: 3, failed: 1, skipped: 0 })
  })

  test('counts an exit code that nothing in it explains as one failure', () => {
    const xml = report('tests="3" assertions="3" failures="0" skipped="0"')
    expect(parseReport(xml, [FILE], 1)).toEqual({ passed: 3, failed: 1, skipped: 0 })
  })

  test('counts every file as failed when it was never written', () => {
    expect(parseReport('', [FILE, 'test/b.test.ts'], 139)).toEqual({ passed: 0, failed: 2, skipped: 0 })
  })
})
