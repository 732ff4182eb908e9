/** Where telemetry goes, in words for those who watch a session begin. */
import type { Config, Destination } from './config.ts'
import { showText } from './kinds.ts'
import { presets } from './presets.ts'

/** Each place once, without credentials: `Logfire (https://logfire-eu.pydantic.dev)`. None where nothing is sent. */
export function announceDestinations({ disabled, signals, usesHub }: Config): string[] {
  if (disabled) return []
  const all = Object.values(signals).flatMap(({ destinations }) => destinations)
  return [...new Set(all.map((each) => wordsOf(each, usesHub !== undefined)))]
}

function wordsOf(destination: Destination, hasHub: boolean): string {
  if (destination.kind === 'console') return 'this console'
  if (destination.kind === 'file') return destination.path
  const { target, preset } = destination
  // A path of one signal is not what somebody calls the place.
  const { origin } = new URL(target.url)
  if (preset !== undefined) return `${presets[preset.name].title} (${origin})`
  const place = `${target.protocol} ${showText(origin)}`
  return hasHub ? `${place} (the hub on this machine)` : place
}
