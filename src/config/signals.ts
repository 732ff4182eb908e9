/** What becomes of one kind of signal: where it goes, and in what batches. */
import type { SignalType } from '../telemetry/signal.ts'
import type { BatchSettings, Destination, HubAddress, SignalConfig } from './config.ts'
import { type DestinationList, nameOf } from './destinations.ts'
import { hubTarget, otlpTarget, settingsOf } from './endpoint.ts'
import { type PresetChoice, presetDestinations } from './preset-choice.ts'
import type { Report, Values } from './values.ts'

/** What destinations are made from. */
export interface Known {
  readonly values: Values
  readonly list: DestinationList
  readonly file: string
  readonly usesHub: HubAddress | undefined
  readonly presets: PresetChoice
  readonly fileExists: (path: string) => boolean
}

export function signalConfig(signal: SignalType, known: Known, report: Report): SignalConfig {
  return { destinations: destinations(signal, known, report), batch: batch(signal, known.values) }
}

const ownFileBytes = 64_000_000

/** One per exporter; in the place of `otlp` the user's list where there is one, and beside it the presets. */
function destinations(signal: SignalType, known: Known, report: Report): Destination[] {
  const { values, file } = known
  const toFile = (): Destination => ({
    kind: 'file',
    name: nameOf.file(file),
    path: file,
    ...(values.of('file').value === undefined ? { maxBytes: ownFileBytes } : {}),
  })
  const named = values.get(`${signal}.exporter`).filter((kind) => kind !== 'none')
  const found = named.flatMap((kind): readonly Destination[] => {
    if (kind === 'console') return [{ kind, name: nameOf.console() }]
    if (kind === 'file') return [toFile()]
    const told = collectors(signal, known, report)
    return [...told, ...presetDestinations(signal, known.presets, told, values, report)]
  })
  // Who asks for diagnostics can read what was to be sent, also when sending fails.
  if (values.get('debug')) found.push(toFile())
  return found.filter(({ name }, at) => found.findIndex((each) => each.name === name) === at)
}

/** The user's list, or the one OTLP destination: an endpoint, or the hub. */
function collectors(signal: SignalType, known: Known, report: Report): readonly Destination[] {
  const { values, list, usesHub, presets, fileExists } = known
  const listed = list.of(signal)
  if (listed !== undefined) return listed
  const its = settingsOf(signal, values)
  if (usesHub !== undefined) {
    const target = hubTarget(signal, its, usesHub)
    return [{ kind: 'otlp', name: nameOf.otlp(target), target, ...hubDelay(signal, values) }]
  }
  // Nobody has spoken of a collector: without a hub, presets are all there is.
  const isUnspoken = its.of('endpoint').value === undefined && values.of(`${signal}.exporter`).origin === 'default'
  if (isUnspoken && presets.chosen.length > 0) return []
  const target = otlpTarget(signal, its, fileExists, report)
  return [{ kind: 'otlp', name: nameOf.otlp(target), target }]
}

/** The hub is next door and shows what happens now. */
const hubDelayMs = { traces: 300, logs: 300, metrics: 5000 } as const

function hubDelay(signal: SignalType, values: Values): { readonly delayMs?: number } {
  return delaySetting(signal, values).origin === 'default' ? { delayMs: hubDelayMs[signal] } : {}
}

function delaySetting(signal: SignalType, values: Values) {
  return values.of(signal === 'metrics' ? 'metrics.interval' : `${signal}.batch.delay`)
}

function batch(signal: SignalType, values: Values): BatchSettings {
  const scheduleDelayMs = delaySetting(signal, values).value ?? 0
  if (signal === 'metrics') {
    const exportTimeoutMs = values.get('metrics.timeout')
    return { scheduleDelayMs, exportTimeoutMs, maxQueueSize: Infinity, maxBatchSize: Infinity }
  }
  const maxQueueSize = values.get(`${signal}.batch.queue`)
  return {
    scheduleDelayMs,
    exportTimeoutMs: values.get(`${signal}.batch.timeout`),
    maxQueueSize,
    maxBatchSize: Math.min(values.get(`${signal}.batch.size`), maxQueueSize),
  }
}
