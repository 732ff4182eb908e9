/** Recorded sessions in, the spans, log records and metrics that a person has checked out. */
import { describe, expect, test } from 'bun:test'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { play, readRecording, renderExported, runsOf } from './recording.ts'

const cases = ['tools', 'fail', 'multi', 'int_tool', 'term_tool', 'd_plan', 'e401', 'demo']

describe('a recorded session', () => {
  for (const name of cases) {
    test(`${name} gives the checked tree`, async () => {
      const text = renderExported(await play(runsOf(readRecording(name))))
      const path = join(import.meta.dir, 'recorded', `${name}.txt`)
      if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text)
      expect(existsSync(path)).toBe(true)
      expect(text).toBe(readFileSync(path, 'utf8'))
    })

    test(`${name} gives the same when the spool's files were written in another order`, async () => {
      const runs = runsOf(readRecording(name))
      const straight = renderExported(await play(runs))
      expect(renderExported(await play(runs, (calls) => calls.toReversed()))).toBe(straight)
      expect(renderExported(await play(runs, (calls) => calls.toSorted((a, b) => (a.at % 997) - (b.at % 997))))).toBe(
        straight,
      )
    })
  }
})
