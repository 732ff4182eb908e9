/** Where telemetry goes, in words for those who watch a session begin. */
import { isLoopback } from '../base/loopback.ts'
import type { Config, Destination, HubAddress } from './config.ts'
import { showText } from './kinds.ts'
import { presets } from './presets.ts'

/** Each place once, without credentials: `Logfire (https://logfire-eu.pydantic.dev)`. None where nothing is sent. */
export function announceDestinations({ disabled, signals, usesHub }: Config): string[] {
  if (disabled) return []
  const all = Object.values(signals).flatMap(({ destinations }) => destinations)
  return [...new Set(all.map((each) => wordsOf(each, usesHub)))]
}

function wordsOf(destination: Destination, hub: HubAddress | undefined): string {
  if (destination.kind === 'console') return 'this console'
  if (destination.kind === 'file') return destination.path
  const { target, preset } = destination
  // A path of one signal is not what somebody calls the place.
  const { origin, hostname, port } = new URL(target.url)
  if (preset !== undefined) return `${presets[preset.name].title} (${origin})`
  const isHub = isLoopback(hostname) && [hub?.grpcPort, hub?.httpPort].includes(Number(port))
  return isHub ? `the hub on this machine (${showText(origin)})` : `${target.protocol} ${showText(origin)}`
}
