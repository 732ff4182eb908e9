import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { renewTables } from '../../scripts/docs.ts'

test('the tables of the README say what the code says', () => {
  const text = readFileSync(join(import.meta.dir, '../../README.md'), 'utf8')
  expect(renewTables(text) === text).toBe(true)
})

test('the map of the house names every file of src', () => {
  const map = readFileSync(join(import.meta.dir, '../../src/README.md'), 'utf8')
  const files = [...new Bun.Glob('**/*.{ts,tsx}').scanSync(join(import.meta.dir, '../../src'))]
  expect(files.filter((file) => !map.includes(basename(file)))).toEqual([])
  expect(files.length).toBeGreaterThan(50)
})
