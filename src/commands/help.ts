/** The text of `claude-otel --help`. */
import { version } from '../base/version.ts'
import { type Setting, settingKeys, settings } from '../config/settings.ts'
import { commands } from './index.ts'

export function renderHelp(): string {
  const ours = Object.entries(commands).filter(([, { isInternal }]) => isInternal !== true)
  const flags = settingKeys.flatMap((key) => {
    const { flag, kind, description }: Setting = settings[key]
    return flag === undefined ? [] : [[`--${flag}${kind.isSwitch ? '' : ' <value>'}`, description] as const]
  })
  return `claude-otel ${version}: Claude Code as it is, with OpenTelemetry traces, logs and metrics of what it does.

Usage
  claude-otel [anything claude takes]     run claude with these arguments
  claude-otel -- --help                   claude's own help; behind -- everything is claude's
  claude-otel <command>                   claude-otel <command> --help tells its options

Commands
${columns(ours.map(([name, { description }]) => [name, description]))}

Options
${columns([['--help, --version', 'this text; our version'], ['--config', 'every setting, its value and where it came from'], ...flags])}

Everything else is configured by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT, …);
each may also be given as CLAUDE_OTEL_…, which wins, or in the file that --config names.
`
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n')
}
