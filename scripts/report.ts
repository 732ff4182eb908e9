/** What a JUnit report of `bun test` says: how many tests there were, and which of them failed with which words. */

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export interface FailedTest {
  readonly file: string
  /** Its own title, and those of the groups around it. */
  readonly name: string
  readonly group: string
  readonly message: string
}

/**
 * Counts of a report. A file that could not be loaded does not stand in it and is counted as one failure, and so is an exit
 * code that no failure in the report explains.
 */
export function parseReport(xml: string, files: readonly string[], exitCode: number): Counts {
  const root = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? ''
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(root)?.[1] ?? 0)
  const failures = count('failures') + files.filter((path) => !xml.includes(`file="${path}"`)).length
  return {
    passed: count('tests') - count('failures') - count('skipped'),
    failed: failures === 0 && exitCode !== 0 ? 1 : failures,
    skipped: count('skipped'),
  }
}

/** The failures that stand in a report; a file that could not be loaded is none of them. */
export function failedTests(xml: string): FailedTest[] {
  const cases = xml.matchAll(/<testcase\b([^>]*[^/])>\s*<failure\b([^>]*)>/g)
  return [...cases].map(([, test = '', failure = '']) => ({
    file: attribute(test, 'file'),
    name: attribute(test, 'name'),
    group: attribute(test, 'classname'),
    message: attribute(failure, 'message'),
  }))
}

/** Of several runs of parts of one suite, the second of which ran again what had failed in the first. */
export function secondAttempt(first: Counts, again: Counts): Counts {
  return { ...first, passed: first.passed + again.passed, failed: first.failed - again.passed }
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#10': '\n' }

function attribute(tag: string, name: string): string {
  const value = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? ''
  return value.replace(/&(#?\w+);/g, (whole, entity: string) => entities[entity] ?? whole)
}
