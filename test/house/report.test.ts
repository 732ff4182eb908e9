/** What scripts/report.ts makes of a report of `bun test`: nothing that went wrong may count as nothing. */
import { describe, expect, test } from 'bun:test'
import { failedTests, parseReport, secondAttempt } from '../../scripts/report.ts'

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

describe('The failures of a report', () => {
  test('stand with their words, and what passed does not', () => {
    const xml = `
      <testcase name="fails: &quot;a&quot; &lt; b" classname="a &gt; b" time="0.1" file="${FILE}" line="2" assertions="1">
        <failure type="AssertionError" message="expect(received)&#10;Expected: 2">AssertionError</failure>
      </testcase>
      <testcase name="passes" classname="" time="0.1" file="${FILE}" line="3" assertions="0" />
      <testcase name="too" classname="" time="0.1" file="${FILE}" line="4" assertions="0">
        <failure type="Error" message="">Error</failure>
      </testcase>`
    expect(failedTests(xml)).toEqual([
      { file: FILE, name: 'fails: "a" < b', group: 'a > b', message: 'expect(received)\nExpected: 2' },
      { file: FILE, name: 'too', group: '', message: '' },
    ])
  })

  test('count as passed where they passed alone, and as failed where they did not', () => {
    const first = { passed: 8, failed: 2, skipped: 0 }
    expect(secondAttempt(first, { passed: 2, failed: 0, skipped: 9 })).toEqual({ passed: 10, failed: 0, skipped: 0 })
    expect(secondAttempt(first, { passed: 1, failed: 1, skipped: 9 })).toEqual({ passed: 9, failed: 1, skipped: 0 })
  })
})
