/** What a user is told once: that signals go to products which were chosen by variables alone. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Resolution } from '../config/config.ts'
import { presetsInUse } from '../config/preset-choice.ts'
import { type PresetName, presets } from '../config/presets.ts'

/**
 * Of those that `file` does not name yet, which it does from then on. Nothing where the user has named them, or where it could not
 * be remembered: it would be said again and again.
 */
export function firstWordOfPresets(file: string, { config, settings }: Resolution): string | undefined {
  const variablesOf = (name: PresetName): string | undefined =>
    settings.find(({ key }) => key === `presets.${name}`)?.origin
  // One in the list of destinations was written there.
  const found = presetsInUse(config.signals).filter((name) => variablesOf(name) !== undefined)
  if (settings.some(({ key, origin }) => key === 'presets' && origin !== 'default')) return undefined
  const told = read(file)
  const news = found.filter((name) => !told.includes(name))
  if (news.length === 0) return undefined
  try {
    writeFileSync(file, [...told, ...news].map((name) => `${name}\n`).join(''), { mode: 0o600 })
  } catch {
    return undefined
  }
  const because = (name: PresetName): string => {
    const variables = variablesOf(name)?.split(', ') ?? []
    return `${presets[name].title}, since ${variables.join(' and ')} ${variables.length === 1 ? 'is' : 'are'} set`
  }
  return `telemetry goes to ${news.map(because).join(', to ')} (CLAUDE_OTEL_PRESETS=none: it does not)`
}

function read(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((name) => name !== '')
  } catch {
    return []
  }
}
