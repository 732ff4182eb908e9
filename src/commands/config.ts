/** The text of `--config`: what is in force, where each value came from, and what is wrong. */

import { renderFailure } from '../base/errors.ts'
import type { Config, Destination, Resolution, ResolvedSetting } from '../config/config.ts'
import { nameOf } from '../config/destinations.ts'
import { showText } from '../config/kinds.ts'
import { align, columnWidths } from './table.ts'

/** Plain text with aligned columns and a final line break; secrets are masked already. */
export function renderConfig(resolution: Resolution): string {
  const sections = [renderDestinations(resolution.config), ...renderSettings(resolution.settings)]
  if (resolution.notes.length > 0) sections.push(['Notes', ...resolution.notes.map((note) => `  ${note}`)].join('\n'))
  if (resolution.problems.length > 0) {
    sections.push(['Problems', ...resolution.problems.map((problem) => renderFailure(problem).trimEnd())].join('\n'))
  }
  return `${sections.join('\n\n')}\n`
}

function renderDestinations(config: Config): string {
  if (config.disabled) return 'Telemetry is off.'
  const rows = Object.entries(config.signals).flatMap(([type, { destinations }]) =>
    destinations.length === 0 ? [[type, 'none']] : destinations.map((each) => [type, each.kind, where(each)]),
  )
  return ['Destinations', ...align(rows)].join('\n')
}

/** The place, behind the name that the user gave it. */
function where(destination: Destination): string {
  const [place, derived] = placeOf(destination)
  return destination.name === derived ? place : `${destination.name}: ${place}`
}

function placeOf(destination: Destination): [place: string, derived: string] {
  if (destination.kind === 'console') return ['stderr, after exit', nameOf.console()]
  if (destination.kind === 'file') return [destination.path, nameOf.file(destination.path)]
  const { target } = destination
  return [`${target.protocol} ${showText(target.url)}`, nameOf.otlp(target)]
}

/** One block per group; what only some users set, and nobody did here, is left out. */
function renderSettings(settings: readonly ResolvedSetting[]): string[] {
  const told = settings.filter(({ shown, origin }) => shown !== '' || origin !== 'default')
  const widths = columnWidths(told.map(cells))
  const groups = Map.groupBy(told, ({ key }) => (key.includes('.') ? key.slice(0, key.indexOf('.')) : 'general'))
  return [...groups].map(([name, members]) =>
    [`${name[0]?.toUpperCase()}${name.slice(1)}`, ...align(members.map(cells), widths)].join('\n'),
  )
}

function cells({ key, shown, origin }: ResolvedSetting): string[] {
  return [key, shown || '(empty)', origin === 'default' ? 'default' : `from ${origin}`]
}
