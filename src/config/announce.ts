/** Where telemetry goes, in a line each, for those who watch a session begin. */
import type { Config, Destination } from './config.ts'
import { showText } from './kinds.ts'
import { presets } from './presets.ts'

/** One line per destination, by its name, without credentials; what several kinds of signals share is told once. */
export function announceDestinations({ disabled, signals, usesHub }: Config): string[] {
  if (disabled) return ['⚠️ Telemetry is off']
  const all = Object.values(signals).flatMap(({ destinations }) => destinations)
  const once = all.filter(({ name }, at) => all.findIndex((each) => each.name === name) === at)
  if (once.length === 0) return ['⚠️ Telemetry goes nowhere']
  return once.map((each) => line(each, usesHub !== undefined))
}

function line(destination: Destination, hasHub: boolean): string {
  if (destination.kind === 'console') return '🔍 Telemetry is printed at the end'
  if (destination.kind === 'file') return `🔍 Telemetry is written → ${destination.path}`
  const place = new URL(destination.target.url)
  const where = showText(`${place.origin}${place.pathname.replace(/\/v1\/\w+$/, '').replace(/\/$/, '')}`)
  const { preset } = destination
  if (preset !== undefined) return `${presets[preset.name].announcement} → ${where}`
  return `📊 ${hasHub ? 'The hub keeps this session' : 'OpenTelemetry configured'} → ${where}`
}
