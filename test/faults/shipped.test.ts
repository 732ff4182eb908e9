/** The shipped binary has no fault points in it. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { BINARY, buildIfStale } from '../../scripts/build.ts'
import { FAULTS_BINARY } from './kit.ts'

const words = ['faultPoint', 'hook.begin', 'journal.torn', 'export.acked', 'run.replace', 'CLAUDE_OTEL_FAULT']

test('the shipped binary holds no word of the fault points, which the one of this suite does', async () => {
  await buildIfStale()
  const found = (binary: string): string[] => {
    const bytes = readFileSync(binary)
    return words.filter((word) => bytes.includes(word))
  }
  expect(found(FAULTS_BINARY)).toEqual(words)
  expect(found(BINARY)).toEqual([])
})
