import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { renewTables } from '../../scripts/docs.ts'

test('the tables of the README say what the code says', () => {
  const text = readFileSync(join(import.meta.dir, '../../README.md'), 'utf8')
  expect(renewTables(text) === text).toBe(true)
})
