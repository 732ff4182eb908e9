/** `claude-otel env [shell]`: the variables by which a plain claude sends its own telemetry where ours goes. */
import { Failure } from '../base/errors.ts'
import { renderVariables, type Shell, shellNamed, shells } from '../base/shells.ts'
import { nativeTelemetry } from '../claude/environment.ts'
import { type Targets, telemetryVariables } from '../claude/native-telemetry.ts'
import type { Config, Destination } from '../config/config.ts'
import { readEnvironment } from '../config/environment.ts'
import { signalTypes } from '../config/settings.ts'
import { resolveSettings } from '../run/settings.ts'
import type { SignalType } from '../telemetry/signal.ts'
import { defineOurCommand } from './command.ts'

export default defineOurCommand({
  meta: { name: 'env', description: 'Print variables for plain Claude Code: eval "$(claude-otel env)".' },
  words: shells,
  args: {
    shell: { type: 'positional', required: false, description: `${shells.join(', ')}; yours when nothing is said.` },
    destination: { type: 'string', description: 'Which one, by its name; the first when nothing is said.' },
    traces: { type: 'boolean', description: 'Its spans too, which are in beta.' },
    json: { type: 'boolean', description: 'Print the variables as JSON.' },
  },
  async run({ args, data }) {
    const env = readEnvironment()
    const shell = shellOf(args.shell, env)
    const { config, problems } = await resolveSettings(env, data)
    const [problem] = problems
    if (problem !== undefined) throw problem
    const variables = variablesOf(config, args.destination, args.traces === true)
    process.stdout.write(
      args.json === true ? `${JSON.stringify(variables, undefined, 2)}\n` : renderVariables(shell, variables),
    )
  },
})

function shellOf(named: string | undefined, env: Readonly<Record<string, string | undefined>>): Shell {
  if (named === undefined) {
    const usual = process.platform === 'win32' ? 'powershell' : 'sh'
    return shellNamed(env.SHELL ?? '') ?? usual
  }
  const shell = shellNamed(named)
  if (shell === undefined) throw new Failure('usage', `"${named}" is no shell that we know`, `use ${shells.join(', ')}`)
  return shell
}

/** Fails (`config`) where there is nothing to send to that a plain claude could reach. */
export function variablesOf(config: Config, named: string | undefined, withTraces: boolean): Record<string, string> {
  if (config.disabled) throw new Failure('config', 'telemetry is off', 'claude-otel --config says what switched it off')
  const types = signalTypes.filter((type) => type !== 'traces' || withTraces)
  const targets = targetsOf(config, types, named)
  // To the hub as under the wrapper: over HTTP, often enough to be watched.
  const native = config.usesHub === undefined ? {} : nativeTelemetry({}, config.usesHub)
  const variables = Object.entries({ ...telemetryVariables(targets), ...native })
  return Object.fromEntries(variables.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

function targetsOf({ signals }: Config, types: readonly SignalType[], named: string | undefined): Targets {
  const all = Object.values(signals).flatMap(({ destinations }) => destinations.filter(isOtlp))
  const names = [...new Set(all.map(({ name }) => name))]
  const wanted = named ?? names[0]
  if (wanted === undefined || !names.includes(wanted)) {
    const what = named === undefined ? 'nothing goes to an OTLP destination' : `there is no destination "${named}"`
    throw new Failure('config', what, names.length === 0 ? 'set an endpoint' : `there are: ${names.join(', ')}`)
  }
  const found = types.flatMap((type) => {
    const own = signals[type].destinations.filter(isOtlp)
    // A signal with an endpoint of its own goes there.
    const destination = own.find(({ name }) => name === wanted) ?? (named === undefined ? own[0] : undefined)
    return destination === undefined ? [] : [[type, destination.target] as const]
  })
  return Object.fromEntries(found)
}

function isOtlp(destination: Destination): destination is Destination<'otlp'> {
  return destination.kind === 'otlp'
}
