/**
 * Builds the OpenTelemetry Collector that the tests send to, with every part that the stack's configuration names, from Go modules with the collector's own builder,
 * once per version and configuration, into the user's cache.
 */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { versionOf } from '../src/stack/images.ts'
import { cachedBuild, runIn } from './cache.ts'

const VERSION = versionOf('collector')

const CONFIG = `
dist:
  name: otelcol
  output_path: ./out
  version: ${VERSION}
extensions:
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension v${VERSION}
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension v${VERSION}
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage v${VERSION}
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v${VERSION}
processors:
  - gomod: go.opentelemetry.io/collector/processor/memorylimiterprocessor v${VERSION}
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/processor/attributesprocessor v${VERSION}
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter v${VERSION}
  - gomod: go.opentelemetry.io/collector/exporter/otlpexporter v${VERSION}
  - gomod: go.opentelemetry.io/collector/exporter/otlphttpexporter v${VERSION}
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter v${VERSION}
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/exporter/clickhouseexporter v${VERSION}
`

if (import.meta.main) console.log((await collectorBinary()) ?? 'Go is not installed')

/**
 * The path of the Collector, built first if the cache has none; `undefined` where Go is missing.
 * Throws with the builder's output if it cannot be built.
 */
export async function collectorBinary(): Promise<string | undefined> {
  const go = Bun.which('go')
  if (!go) return undefined
  const home = await cachedBuild(`collector-${VERSION}`, [CONFIG], (folder) => buildIn(folder, go))
  return join(home, 'otelcol')
}

async function buildIn(folder: string, go: string): Promise<void> {
  console.log(`Building OpenTelemetry Collector ${VERSION} from Go modules (once, a few minutes) …`)
  await Bun.write(join(folder, 'builder.yaml'), CONFIG)
  const env = { GOBIN: folder, GOFLAGS: '-mod=mod' }
  await runIn(folder, [go, 'install', `go.opentelemetry.io/collector/cmd/builder@v${VERSION}`], env)
  await runIn(folder, [join(folder, 'builder'), '--config=builder.yaml'], env)
  await rename(join(folder, 'out', 'otelcol'), join(folder, 'otelcol'))
  for (const rest of ['out', 'builder']) await rm(join(folder, rest), { recursive: true })
}
