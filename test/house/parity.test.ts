/**
 * Every name of claude_telemetry has a row that says what stands for it here, and what the row points at is there. A name that
 * vanishes from our tables, commands, settings, texts or tests breaks the row that needs it.
 */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { guide, type ParityPart, type Proof, parity, type Row } from '../../scripts/parity.ts'
import { commandNames } from '../../src/commands/route.ts'
import { type Setting, settings, variablesOf } from '../../src/config/settings.ts'
import { attributes, logEvents, spanEvents } from '../../src/telemetry/attributes.ts'
import { instruments } from '../../src/telemetry/metrics.ts'
import { namesOfClaudeTelemetry } from './parity-names.ts'

const root = join(import.meta.dir, '../..')
const allSettings: readonly Setting[] = Object.values(settings)
const flags = new Set(allSettings.flatMap((setting) => (setting.flag === undefined ? [] : [`--${setting.flag}`])))
const settingVariables = new Set(allSettings.flatMap(variablesOf))

/** Code without its comments, by path. */
const code = readAll(['src/**/*.{ts,tsx}', 'scripts/**/*.ts'], (text) =>
  text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ''),
)
const tests = readAll(['test/**/*.ts'], (text) => text)
const trees = readAll(['test/session/recorded/*.txt'], (text) => text)

function readAll(globs: readonly string[], clean: (text: string) => string): Map<string, string> {
  const paths = globs.flatMap((glob) => [...new Bun.Glob(glob).scanSync(root)])
  return new Map(
    paths
      .filter((path) => path !== 'scripts/parity.ts')
      .map((path) => [path, clean(readFileSync(join(root, path), 'utf8'))]),
  )
}

const isSaid = (words: string, below: string): boolean =>
  [...code].some(([path, text]) => path.startsWith(below) && text.includes(words))

/** `tool.input.command`: names with an open end must be seen in a recorded tree. */
const isAttribute = (name: string): boolean =>
  Object.hasOwn(attributes, name) ||
  (/^tool\.(?:input|response)\./.test(name) && [...trees.values()].some((tree) => tree.includes(`${name}=`)))

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

async function exported(name: string): Promise<boolean> {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports?: Readonly<Record<string, { readonly bun?: string }>>
  }
  const path = exports?.['.']?.bun
  if (path === undefined) return false
  return Object.hasOwn((await import(join(root, path))) as object, name)
}

function holds(proof: Proof): boolean | Promise<boolean> {
  const { name } = proof
  switch (proof.in) {
    case 'attribute':
      return isAttribute(name)
    case 'span event':
      return Object.hasOwn(spanEvents, name) && [...trees.values()].some((tree) => tree.includes(` ${name}`))
    case 'log event':
      return Object.hasOwn(logEvents, name)
    case 'instrument':
      return Object.hasOwn(instruments, name)
    case 'span':
      return [...trees.values()].some((tree) => new RegExp(`^ *${escaped(name)} \\d`, 'm').test(tree))
    case 'command':
      return (commandNames as readonly string[]).includes(name)
    case 'flag':
      return flags.has(name)
    case 'variable':
      return settingVariables.has(name) || isSaid(`'${name}'`, 'src/config/')
    case 'library':
      return exported(name)
    case 'text':
      return isSaid(name, proof.below)
    case 'test':
      return tests.get(`test/${proof.file}`)?.includes(name) === true
  }
}

const parts = Object.entries(parity) as [ParityPart, readonly Row[]][]

describe.each(parts)('what claude_telemetry has of %s', (part, rows) => {
  test('is told name by name, none forgotten and none made up', () => {
    expect(rows.flatMap(({ names }) => names)).toEqual([...namesOfClaudeTelemetry[part]])
  })

  test.each(rows.map((row) => [row.names.join(', '), row] as const))('%s', async (_, { ours, proofs }) => {
    expect(ours).not.toBe('')
    expect(proofs.length).toBeGreaterThan(0)
    const held = await Promise.all(proofs.map(async (proof) => [proof, await holds(proof)] as const))
    expect(held.filter(([, isHeld]) => !isHeld).map(([proof]) => proof)).toEqual([])
  })
})

test('the guide has every part once', () => {
  expect(guide.flatMap((table) => table.parts).toSorted()).toEqual((Object.keys(parity) as ParityPart[]).toSorted())
})

test('a name that is nowhere is noticed', async () => {
  const nowhere: Proof[] = [
    { in: 'attribute', name: 'tool.input.nowhere' },
    { in: 'attribute', name: 'nowhere' },
    { in: 'span event', name: 'Turn begun' },
    { in: 'log event', name: 'claude.nowhere' },
    { in: 'instrument', name: 'claude.nowhere_total' },
    { in: 'span', name: 'execute_tool Nowhere' },
    { in: 'command', name: 'nowhere' },
    { in: 'flag', name: '--otel-nowhere' },
    { in: 'variable', name: 'OTEL_NOWHERE' },
    { in: 'library', name: 'runNowhere' },
    { in: 'text', name: 'nowhere at all', below: 'src' },
    { in: 'test', name: 'is nowhere', file: 'house/imports.test.ts' },
  ]
  expect(await Promise.all(nowhere.map(holds))).toEqual(nowhere.map(() => false))
})
