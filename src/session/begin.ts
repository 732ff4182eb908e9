/** How a run begins: the first entry of its journal, with the resource that all its signals have. */
import { arch, hostname, release, type as systemType } from 'node:os'
import { version } from '../base/version.ts'
import { type Config, capturedContent } from '../config/config.ts'
import { callLimitOf, historyLimitOf } from '../telemetry/content.ts'
import { deriveUuid } from '../telemetry/ids.ts'
import { createRedactor } from '../telemetry/redact.ts'
import type { Attributes } from '../telemetry/signal.ts'
import type { RunEntry } from './entries.ts'

/** `runId` is unique in the world; everything else about the run derives from it. */
export function createRunEntry(config: Config, runId: string, at: number): RunEntry {
  const content = capturedContent(config)
  const history = { messages: historyLimitOf(content), calls: callLimitOf(content) }
  return {
    k: 'run',
    v: 1,
    at,
    runId,
    resource: createResource(config, runId),
    sampler: config.sampler,
    ...(history.messages === 0 && history.calls === 0 ? {} : { history }),
  }
}

/** One metric stream per run: `service.instance.id` is the run's, so that a replay continues the same stream. */
function createResource(config: Config, runId: string): Attributes {
  return {
    'service.version': version,
    'service.instance.id': deriveUuid(runId),
    'telemetry.distro.name': 'claude-otel',
    'telemetry.distro.version': version,
    'host.name': hostname(),
    'host.arch': { x64: 'amd64', ia32: 'x86' }[arch() as string] ?? arch(),
    'os.type': { Windows_NT: 'windows' }[systemType()] ?? systemType().toLowerCase(),
    'os.version': release(),
    ...maskTexts(config),
  }
}

function maskTexts({ resource, redaction }: Config): Attributes {
  const { redact } = createRedactor(redaction)
  const masked = Object.entries(resource).map(([name, value]) => [
    name,
    typeof value === 'string' ? redact(value) : value,
  ])
  return Object.fromEntries(masked) as Attributes
}
