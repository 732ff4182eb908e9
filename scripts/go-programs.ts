/** Builds programs that the tests drive from their Go modules, once per version, into the user's cache. */
import { cp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { versionOf } from '../src/stack/images.ts'
import { cachedBuild, runIn } from './cache.ts'

interface GoProgram {
  readonly module: string
  readonly version: string
  /** The package with its `main`. */
  readonly main: string
  /** Parts that its go.mod takes from a folder, which a module does not carry; as modules they can be had. */
  readonly ownParts: readonly string[]
}

const programs = {
  loki: {
    module: 'github.com/grafana/loki/v3',
    version: versionOf('loki'),
    main: './cmd/loki',
    ownParts: ['github.com/grafana/loki/pkg/push'],
  },
  // Later versions want a later Go.
  'docker-compose': { module: 'github.com/docker/compose/v2', version: '2.40.3', main: './cmd', ownParts: [] },
} as const satisfies Readonly<Record<string, GoProgram>>

type Name = keyof typeof programs

if (import.meta.main) for (const name of Object.keys(programs)) console.log(await goProgram(name as Name))

/** The path of the program, built first if the cache has none; undefined where Go is missing. Throws if it cannot be built. */
export async function goProgram(name: Name): Promise<string | undefined> {
  const go = Bun.which('go')
  if (!go) return undefined
  const program: GoProgram = programs[name]
  const build = (folder: string) => buildIn(folder, go, name, program)
  return join(await cachedBuild(`${name}-${program.version}`, [JSON.stringify(program)], build), name)
}

async function buildIn(folder: string, go: string, name: Name, program: GoProgram): Promise<void> {
  console.log(`Building ${name} ${program.version} from its Go module (once, some minutes) …`)
  const source = join(folder, 'source')
  await cp(await download(go, program), source, { recursive: true })
  await runIn(folder, ['chmod', '-R', 'u+w', source])
  for (const part of program.ownParts) await runIn(source, [go, 'mod', 'edit', `-dropreplace=${part}`])
  await rm(join(source, 'vendor'), { recursive: true, force: true })
  await runIn(source, [go, 'build', '-mod=mod', '-o', join(folder, 'built'), program.main])
  await rm(source, { recursive: true })
  await rename(join(folder, 'built'), join(folder, name))
}

/** The folder in Go's module cache. */
async function download(go: string, { module, version }: GoProgram): Promise<string> {
  const child = Bun.spawn([go, 'mod', 'download', '-json', `${module}@v${version}`], { stderr: 'inherit' })
  const { Dir, Error: reason }: { Dir?: string; Error?: string } = JSON.parse(await new Response(child.stdout).text())
  if (Dir === undefined) throw new Error(`${module}@v${version}: ${reason}`)
  return Dir
}
