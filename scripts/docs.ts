/**
 * The README's tables, made from the code they describe: `bun scripts/docs.ts` writes them between their markers,
 * `--check` only says whether they are true.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderVariables } from '../src/base/shells.ts'
import { hookEvents } from '../src/claude/events.ts'
import { type Preset, presetNames, presets } from '../src/config/presets.ts'
import { type Setting, settingKeys, settings, variablesOf } from '../src/config/settings.ts'
import { stackVariables } from '../src/stack/env-files.ts'
import { readStackSettings } from '../src/stack/settings.ts'
import { attributes, contentAttributes, logEvents, spanEvents } from '../src/telemetry/attributes.ts'
import { detectors } from '../src/telemetry/detectors.ts'
import { type Instrument, instruments } from '../src/telemetry/metrics.ts'
import { guide, parity, type Row } from './parity.ts'

const path = join(import.meta.dir, '../README.md')

const tables: Readonly<Record<string, () => string>> = {
  settings: () =>
    table(
      ['Setting', 'Variables (each also as `CLAUDE_OTEL_…`)', 'Flag', 'Meaning'],
      settingKeys.map((key) => {
        const setting: Setting = settings[key]
        const variables = variablesOf(setting).filter((name) => !isOwnTwin(name, variablesOf(setting)))
        return [
          code(key),
          variables.map(code).join(' '),
          setting.flag ? code(`--${setting.flag}`) : '',
          setting.description,
        ]
      }),
    ),
  presets: () =>
    table(
      ['Product', 'Name', 'Chosen by all of', 'Also read', 'Gets', 'Added for its views'],
      presetNames.map((name) => {
        const { title, needs, reads, signals, temporality, adds }: Preset = presets[name]
        return [
          title,
          code(name),
          needs.map((oneOf) => oneOf.map(code).join(' or ')).join(', '),
          reads.map(code).join(' '),
          signals
            .map((signal) => (signal === 'metrics' && temporality ? `${signal} (${temporality})` : signal))
            .join(', '),
          adds,
        ]
      }),
    ),
  attributes: () =>
    table(
      ['Attribute', 'Meaning'],
      Object.entries(attributes).map(([name, meaning]) => [code(name), meaning]),
    ),
  events: () =>
    table(
      ['Event', 'Where and when'],
      Object.entries(spanEvents).map(([name, meaning]) => [code(name), meaning]),
    ),
  logs: () =>
    table(
      ['Event', 'When'],
      Object.entries(logEvents).map(([name, meaning]) => [code(name), meaning]),
    ),
  metrics: () =>
    table(
      ['Instrument', 'Kind', 'Unit', 'Meaning'],
      Object.entries(instruments).map(([name, { kind, unit, description }]: [string, Instrument]) => [
        code(name),
        kind,
        code(unit),
        description,
      ]),
    ),
  content: () =>
    table(
      ['Content', 'Attribute'],
      Object.entries(contentAttributes).map(([name, { what }]) => [what, code(name)]),
    ),
  detectors: () =>
    table(
      ['Kind', 'Covers'],
      detectors.map(({ name, covers }) => [code(name), covers]),
    ),
  hooks: () =>
    table(
      ['Hook event', 'Runs'],
      Object.entries(hookEvents).map(([name, { run }]) => [code(name), runs[run]]),
    ),
  migration: () =>
    guide
      .map(({ title, parts }) => {
        const rows = parts.flatMap((part): readonly Row[] => parity[part])
        const cells = rows.map(({ names, ours }) => [names.map(code).join(' '), ours])
        return `#### ${title}\n\n${table(['claude_telemetry', 'claude-otel'], cells)}`
      })
      .join('\n'),
  'stack-env': () => `${oneLine('sh')}\n${oneLine('powershell')}`,
}

/** What a stack's environment file does, in one line. */
function oneLine(shell: 'sh' | 'powershell'): string {
  const variables = renderVariables(shell, stackVariables(readStackSettings('OTLP_TOKEN=<OTLP_TOKEN>')))
  return `\`\`\`${shell}\n${variables.trim().replaceAll('\n', '; ')}; claude-otel\n\`\`\`\n`
}

const runs = {
  sync: 'synchronous: it begins or ends a turn or a session, or asks a person',
  async: 'asynchronous: claude does not wait',
  never: 'not registered; understood when somebody else registered it',
} as const

/** The text with every table renewed. Throws when a marker is missing. */
export function renewTables(text: string): string {
  return Object.entries(tables).reduce((current, [name, render]) => {
    const block = new RegExp(`(<!-- ${name}:begin -->\n)[\\s\\S]*?(<!-- ${name}:end -->)`)
    if (!block.test(current)) throw new Error(`README.md has no markers for the table "${name}"`)
    return current.replace(block, (_match, begin: string, end: string) => `${begin}\n${render()}\n${end}`)
  }, text)
}

function isOwnTwin(name: string, all: readonly string[]): boolean {
  return name.startsWith('CLAUDE_OTEL_') && all.includes(name.replace('CLAUDE_OTEL_', 'OTEL_'))
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line), ''].join('\n')
}

function code(text: string): string {
  return `\`${text}\``
}

if (import.meta.main) {
  const text = readFileSync(path, 'utf8')
  const renewed = renewTables(text)
  if (process.argv.includes('--check') && renewed !== text) {
    process.stderr.write('README.md: the tables are not what the code says; bun scripts/docs.ts renews them\n')
    process.exit(1)
  }
  if (renewed !== text) writeFileSync(path, renewed)
}
