/** Text mode, end to end: each case of cases.ts, bare and under claude-otel. */
import { describe, test } from 'bun:test'
import { cases } from './cases.ts'
import { check } from './play.ts'

describe('claude-otel -p is claude -p, and tells', () => {
  for (const theCase of cases) test(theCase.title, () => check(theCase), 60_000)
})
