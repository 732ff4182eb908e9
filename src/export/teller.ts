/**
 * How signals are told to one destination: cut to its rule of content, then told anew where it is a product with views of its own.
 * Here, and not in the assembler, so that no other destination gets what is meant for one.
 */
import type { Config, Destination } from '../config/config.ts'
import { type Preset, presets } from '../config/presets.ts'
import { applyContentRule } from '../telemetry/content.ts'
import type { Retelling, Told } from '../telemetry/retelling.ts'
import type { LogSignal, SpanSignal } from '../telemetry/signal.ts'
import { isWithinRatio } from '../telemetry/trace-context.ts'

/** Puts the telling in front of what makes the SDK's records; undefined: not told there. */
export interface Teller {
  span<R>(make: (signal: SpanSignal) => R | undefined): (signal: SpanSignal) => R | undefined
  log<R>(make: (signal: LogSignal) => R): (signal: LogSignal) => R
}

/** Loads what the destination's product needs. */
export async function teller({ content }: Config, destination: Destination): Promise<Teller> {
  const rule = destination.content ?? content
  const told: Told = (destination.kind === 'otlp' ? destination.preset : undefined) ?? {}
  const { traceRatio = 1 } = told
  const retelling = (await presetOf(destination)?.retelling?.()) ?? asItIs
  return {
    span: (make) => (signal) => {
      if (traceRatio < 1 && !isWithinRatio(signal.ref.traceId, traceRatio)) return undefined
      return make(retelling.span(applyContentRule(signal, rule), told))
    },
    log: (make) => (signal) => {
      const kept = applyContentRule(signal, rule)
      return make(retelling.log?.(kept, told) ?? kept)
    },
  }
}

/** The SDK's settings, with what the destination takes of metrics where that is not the user's to say. */
export function settingsFor(config: Config, destination: Destination): Config {
  const temporality = presetOf(destination)?.temporality
  return temporality === undefined ? config : { ...config, metrics: { ...config.metrics, temporality } }
}

const asItIs: Retelling = { span: (span) => span }

function presetOf(destination: Destination): Preset | undefined {
  const name = destination.kind === 'otlp' ? destination.preset?.name : undefined
  return name === undefined ? undefined : presets[name]
}
