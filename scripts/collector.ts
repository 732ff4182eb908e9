/**
 * Builds the OpenTelemetry Collector that the tests send to, from Go modules with the collector's own builder,
 * once per version and configuration, into the user's cache.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Later minors are not complete on the Go module proxy. */
const VERSION = '0.161.0'

const CONFIG = `
dist:
  name: otelcol
  output_path: ./out
  version: ${VERSION}
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v${VERSION}
processors:
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/processor/attributesprocessor v${VERSION}
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter v${VERSION}
  - gomod: go.opentelemetry.io/collector/exporter/otlpexporter v${VERSION}
  - gomod: go.opentelemetry.io/collector/exporter/otlphttpexporter v${VERSION}
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter v${VERSION}
`

const BUILD_LIMIT_MS = 10 * 60_000
const LOCK_POLL_MS = 500

if (import.meta.main) console.log((await collectorBinary()) ?? 'Go is not installed')

/**
 * The path of the Collector, built first if the cache has none; `undefined` where Go is missing.
 * Throws with the builder's output if it cannot be built.
 */
export async function collectorBinary(): Promise<string | undefined> {
  const digest = createHash('sha256').update(CONFIG).digest('hex').slice(0, 12)
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'claude-otel')
  const home = join(cache, `collector-${VERSION}-${digest}`)
  const binary = join(home, 'otelcol')
  if (existsSync(binary)) return binary
  const go = Bun.which('go')
  if (!go) return undefined

  await mkdir(cache, { recursive: true })
  await withLock(`${home}.lock`, async () => {
    if (existsSync(binary)) return
    const folder = await mkdtemp(`${home}.`)
    try {
      await buildIn(folder, go)
      await mkdir(home, { recursive: true })
      await rename(join(folder, 'out', 'otelcol'), binary)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
  return binary
}

async function buildIn(folder: string, go: string): Promise<void> {
  console.log(`Building OpenTelemetry Collector ${VERSION} from Go modules (once, a minute or two) …`)
  await Bun.write(join(folder, 'builder.yaml'), CONFIG)
  await runIn(folder, [go, 'install', `go.opentelemetry.io/collector/cmd/builder@v${VERSION}`])
  await runIn(folder, [join(folder, 'builder'), '--config=builder.yaml'])
}

async function runIn(folder: string, command: string[]): Promise<void> {
  const child = Bun.spawn(command, {
    cwd: folder,
    env: { ...process.env, GOBIN: folder, GOFLAGS: '-mod=mod' },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: BUILD_LIMIT_MS,
  })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`${command.join(' ')} failed (${code})\n${stdout}${stderr}`)
}

/** Two test runs that begin at once build one Collector. The lock of a build that was killed is taken over. */
async function withLock(path: string, work: () => Promise<void>): Promise<void> {
  while (!(await tryLock(path))) await Bun.sleep(LOCK_POLL_MS)
  try {
    await work()
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    return true
  } catch {
    const lock = await stat(path).catch(() => undefined)
    if (lock && Date.now() - lock.mtimeMs > BUILD_LIMIT_MS) await rm(path, { recursive: true, force: true })
    return false
  }
}
