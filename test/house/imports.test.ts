/**
 * The order of the house: who may import whom, what a hook loads, who reads the environment, who ends the process.
 * Sees static, type-only, dynamic and required imports; not `import('…')` in the place of a type, which nothing loads.
 */
import { describe, expect, test } from 'bun:test'
import { dirname, join, normalize } from 'node:path'

const ROOT = join(import.meta.dir, '../..')
const ENTRY = 'src/main.ts'

/** A folder imports only from itself and from those that stand before it; main.ts comes after them all. */
const FOLDERS = [
  'hook',
  'base',
  'telemetry',
  'config',
  'claude',
  'export',
  'session',
  'usage',
  'receiver',
  'store',
  'dashboard',
  'stack',
  'hub',
  'run',
  'console',
  'agent',
  'chat',
  'commands',
]

const READS_ENVIRONMENT = /^src\/(config|hook)\//
const ENDS_PROCESS = /^src\/(hook\/|main\.ts$)/

interface Import {
  /** From the repository's root for a file of ours, else as it is written. */
  readonly path: string
  readonly isStatic: boolean
}

interface Source {
  readonly path: string
  readonly imports: readonly Import[]
  /** Without comments and types. */
  readonly code: string
}

const transpilers = { ts: new Bun.Transpiler({ loader: 'ts' }), tsx: new Bun.Transpiler({ loader: 'tsx' }) }
const sources = new Map((await Promise.all(sourcePaths().map(readSource))).map((source) => [source.path, source]))

describe('The house', () => {
  test('is of folders whose place in the order is known', () => {
    const strangers = [...sources.keys()].filter((path) => path !== ENTRY && rank(path) === -1)
    expect(strangers).toEqual([])
  })

  test('imports only from the same folder or from folders before it', () => {
    const wrong = [...sources.values()].flatMap(({ path, imports }) =>
      imports.filter((target) => isOurs(target.path) && rank(target.path) > rank(path)).map(arrow(path)),
    )
    expect(wrong).toEqual([])
  })

  test('imports only files of src that exist, by their full names', () => {
    const wrong = [...sources.values()].flatMap(({ path, imports }) =>
      imports.filter((target) => isRelative(target.path) && !isKnown(target.path)).map(arrow(path)),
    )
    expect(wrong).toEqual([])
  })

  test('reads the environment in config/ and hook/ alone', () => {
    const pattern = /\b(process|Bun|import\.meta)\.env\b|\{[^{}]*\benv\b[^{}]*\}\s*=\s*(process|Bun)\b/
    expect(offenders(pattern, READS_ENVIRONMENT)).toEqual([])
  })

  test('ends the process in main.ts and hook/ alone', () => {
    expect(offenders(/\bprocess\.(exit|reallyExit|abort)\b(?!\.)/, ENDS_PROCESS)).toEqual([])
  })
})

describe('A hook', () => {
  test('loads main.ts and src/hook, no package and no node: module', () => {
    const loaded = staticClosure(ENTRY)
    expect(loaded).toContain('src/hook/stamp.ts')
    expect(loaded.filter((path) => !isHot(path))).toEqual([])
  })

  test('finds nothing else in the pieces of the built program that are loaded with its entry', async () => {
    const { metafile } = await Bun.build({
      entrypoints: [join(ROOT, ENTRY)],
      root: ROOT,
      target: 'bun',
      format: 'esm',
      splitting: true,
      minify: true,
      conditions: ['require'],
      metafile: true,
    })
    const outputs = new Map(Object.entries(metafile?.outputs ?? {}))
    const entry = [...outputs].find(([, { entryPoint }]) => entryPoint?.endsWith(ENTRY))?.[0] ?? ''
    const pieces = reach(entry, (path) => {
      const imports = outputs.get(path)?.imports ?? []
      return imports.filter(({ kind }) => kind !== 'dynamic-import').map((target) => target.path)
    })
    // The entry and run-folder.ts, which others share. Each further piece costs every hook 1 to 2 ms.
    expect(pieces.length).toBeLessThanOrEqual(2)
    const inputs = pieces.flatMap((path) => Object.keys(outputs.get(path)?.inputs ?? { [path]: {} }))
    const loaded = inputs.map((path) => path.slice(Math.max(0, path.lastIndexOf('src/'))))
    expect(loaded).toContain('src/hook/stamp.ts')
    expect(loaded.filter((path) => !isHot(path))).toEqual([])
  })
})

test('ClickHouse’s client is loaded only by whoever has opened a ClickHouse', () => {
  // Types are no longer in the code.
  const importing = (module: string) => {
    const pattern = new RegExp(`\\b(?:from|import)\\s*["'][^"']*${module}["']`)
    return [...sources.values()].filter(({ code }) => pattern.test(code)).map(({ path }) => path)
  }
  expect(importing('@clickhouse/client')).toEqual(['src/store/clickhouse-client.ts'])
  expect(importing('\\./clickhouse-client\\.ts')).toContain('src/store/clickhouse.ts')
  expect(importing('store/clickhouse(?:-client|-usage|-gaps|-migrate)?\\.ts')).toEqual([])
})

function sourcePaths(): string[] {
  return [...new Bun.Glob('src/**/*.{ts,tsx}').scanSync({ cwd: ROOT })].map((path) => path.replaceAll('\\', '/')).sort()
}

async function readSource(path: string): Promise<Source> {
  const text = await Bun.file(join(ROOT, path)).text()
  // What a macro returns is no code of ours.
  const code = transpilerOf(path).transformSync(text.replaceAll(" with { type: 'macro' }", ''))
  return { path, imports: scanImports(path, text), code }
}

/** The scanner drops type-only imports, so the word `type` is taken out of every import and export first. */
function scanImports(path: string, text: string): Import[] {
  const withTypes = text
    .replace(/\bimport type (?=[\w{*])|\bexport type (?=[{*])/g, (words) => words.replace('type ', ''))
    .replace(/([{,]\s*)type (?=\w+\s*(,|\}|as\b))/g, '$1')
  return transpilerOf(path)
    .scanImports(withTypes)
    .map((target) => ({
      path: isRelative(target.path) ? fromRoot(path, target.path) : target.path,
      isStatic: target.kind !== 'dynamic-import',
    }))
}

function transpilerOf(path: string): Bun.Transpiler {
  return path.endsWith('.tsx') ? transpilers.tsx : transpilers.ts
}

function fromRoot(importer: string, path: string): string {
  return normalize(join(dirname(importer), path)).replaceAll('\\', '/')
}

function isRelative(path: string): boolean {
  return path.startsWith('.') || isOurs(path)
}

function isOurs(path: string): boolean {
  return path.startsWith('src/')
}

/** A source, or a file that is embedded: a page, a schema, the project's package.json. */
function isKnown(path: string): boolean {
  return sources.has(path) || (!/\.[cm]?[jt]sx?$/.test(path) && Bun.file(join(ROOT, path)).size > 0)
}

function isHot(path: string): boolean {
  return path === ENTRY || path.startsWith('src/hook/')
}

/** The place of a file's folder in the order; -1 for a folder that has none. */
function rank(path: string): number {
  return path === ENTRY ? FOLDERS.length : FOLDERS.indexOf(path.split('/')[1] ?? '')
}

function arrow(path: string): (target: Import) => string {
  return (target) => `${path} -> ${target.path}`
}

function offenders(pattern: RegExp, allowed: RegExp): string[] {
  const all = [...sources.values()].filter(({ code }) => pattern.test(code)).map(({ path }) => path)
  return all.filter((path) => !allowed.test(path))
}

function staticClosure(entry: string): string[] {
  return reach(entry, (path) => {
    const imports = sources.get(path)?.imports ?? []
    return imports.filter(({ isStatic }) => isStatic).map((target) => target.path)
  })
}

/** Everything that can be reached from `start`, itself included. */
function reach(start: string, next: (path: string) => readonly string[]): string[] {
  const seen = new Set([start])
  for (const path of seen) for (const target of next(path)) seen.add(target)
  return [...seen]
}
