/** What is masked in ordinary code, documents and logs, in which nothing is secret: little, and all of it is listed. */
import { expect, test } from 'bun:test'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRedactor, defaultRedaction } from '../../src/telemetry/redact.ts'

const root = join(import.meta.dir, '../..')
const golden = join(import.meta.dir, 'ordinary.txt')

/** Pinned packages and fixtures hold still, so what is found there is listed. */
const corpora: Readonly<Record<string, readonly string[]>> = {
  'logs and commands': ['test/privacy/ordinary-logs.txt'],
  'recorded sessions': ['test/fixtures/**/*.{json,jsonl,txt}'],
  'lock file': ['package-lock.json'],
  opentelemetry: ['node_modules/@opentelemetry/*/{build,dist}/**/*.{js,d.ts}'],
  'grpc-js': ['node_modules/@grpc/**/*.{js,d.ts,proto}'],
  citty: ['node_modules/citty/dist/*'],
  'type declarations': ['node_modules/bun-types/*.d.ts', 'node_modules/@typescript/*/lib/*.d.ts'],
  re2js: ['node_modules/re2js/build/index.js'],
}

const { redact } = createRedactor(defaultRedaction)

interface Finding {
  readonly kind: string
  readonly line: string
}

function findIn(path: string): Finding[] {
  const text = readFileSync(join(root, path), 'utf8')
  if (redact(text) === text) return []
  return text.split('\n').flatMap((line) => {
    const kinds: string[] = []
    redact(line, (kind) => kinds.push(kind))
    return kinds.map((kind) => ({ kind, line: line.trim().slice(0, 120) }))
  })
}

/** Ours change with every step: they are held to the bound alone. */
const ours = ['src/**/*.ts', 'scripts/*.ts']

function filesOf(patterns: readonly string[]): { readonly paths: readonly string[]; readonly bytes: number } {
  const paths = patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root })]).sort()
  return { paths, bytes: paths.reduce((sum, path) => sum + Bun.file(join(root, path)).size, 0) }
}

function expectFew(found: readonly Finding[], bytes: number): void {
  expect(bytes).toBeGreaterThan(1000)
  expect(found.length / (bytes / 102_400)).toBeLessThan(3)
}

test('hardly anything is masked in text that holds no secrets, and what is masked is known', () => {
  const report = Object.entries(corpora).map(([name, patterns]) => {
    const { paths, bytes } = filesOf(patterns)
    const found = paths.flatMap(findIn)
    expectFew(found, bytes)
    return [`${name}: ${found.length}`, ...found.map(({ kind, line }) => `  ${kind}: ${line}`)].join('\n')
  })
  const text = `${report.join('\n')}\n`
  if (process.env.UPDATE_GOLDEN === '1' || !existsSync(golden)) writeFileSync(golden, text)
  expect(text).toBe(readFileSync(golden, 'utf8'))
})

test('hardly anything is masked in our own sources', () => {
  const { paths, bytes } = filesOf(ours)
  expectFew(paths.flatMap(findIn), bytes)
})
