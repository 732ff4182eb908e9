/** What all our commands share: citty's reading of arguments, and an error for what it would let pass. */
import { type ArgsDef, type CommandDef, renderUsage, runCommand } from 'citty'
import { Failure } from '../base/errors.ts'
import type { ChildEnd } from '../claude/launch.ts'
import type { Flags } from '../run/settings.ts'

export interface Command {
  /** Its options and positional arguments, for completions. */
  readonly args: ArgsDef
  /** The words that a positional argument can be. */
  readonly words: readonly string[]
  /** `args` without the command's name; `flags` are the settings given on the command line. How the process ends, if not well. */
  run(args: readonly string[], flags: Flags): Promise<ChildEnd | undefined>
}

/** A command reads its arguments, calls one function of the domain, prints. `data` in its context is `flags`. */
export function defineOurCommand<T extends ArgsDef>(
  definition: CommandDef<T> & { readonly args: T; readonly words?: readonly string[] },
): Command {
  return {
    args: definition.args,
    words: definition.words ?? [],
    async run(args, flags) {
      if (args.includes('--help') || args.includes('-h')) {
        process.stdout.write(`${await renderUsage(definition)}\n`)
        return undefined
      }
      refuseUnknown(args, definition.args)
      await runCommand(definition, { rawArgs: [...args], data: flags })
      return undefined
    },
  }
}

function refuseUnknown(args: readonly string[], known: ArgsDef): void {
  for (const arg of args) {
    const name = /^--?(?:no-)?([^=]+)/.exec(arg)?.[1]
    if (name === undefined || Object.hasOwn(known, name)) continue
    const options = Object.keys(known).map((key) => `--${key}`)
    throw new Failure('usage', `there is no option ${arg}`, `options: ${['--help', ...options].join(', ')}`)
  }
}

/** `--plain` out of claude's arguments: it is ours, in front of a `--`. */
export function takePlain(args: readonly string[]): { readonly isPlain: boolean; readonly others: readonly string[] } {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  const others = args.filter((arg, at) => arg !== '--plain' || at >= end)
  return { isPlain: others.length < args.length, others }
}
