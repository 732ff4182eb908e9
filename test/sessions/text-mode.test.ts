/** Text mode, end to end: each case, bare and under claude-otel, a few at once. */
import { describe, test } from 'bun:test'
import { createGate } from '../kit/gate.ts'
import { cases } from './cases.ts'
import { check } from './play.ts'

const gate = createGate(3)
/** Waiting for a place counts; each run has its own, shorter time. */
const timeoutMs = 600_000

describe('claude-otel -p is claude -p, and tells', () => {
  for (const theCase of cases) test.concurrent(theCase.title, () => gate(() => check(theCase)), timeoutMs)
})
