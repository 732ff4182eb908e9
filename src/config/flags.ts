/** Our flags inside claude's command line: taken out wherever they stand, everything else left as it is. */

import { Failure } from '../base/errors.ts'
import { type Setting, settingKeys, settings } from './settings.ts'
import { nearest } from './suggest.ts'

export interface ParsedFlags {
  /** Flag name without dashes to its text, or true for a switch. */
  readonly flags: Readonly<Record<string, string | true>>
  /** What claude gets, byte for byte and in order. */
  readonly rest: readonly string[]
  readonly problems: readonly Failure[]
}

const ours = /^--(otel-[^=]*|claude-otel-debug)(?:=(.*))?$/s

/** Names of our flags to whether they stand alone, without a value. */
function flagNames(): ReadonlyMap<string, { readonly isSwitch: boolean }> {
  const flags = settingKeys.flatMap((key) => {
    const { flag, kind }: Setting = settings[key]
    return flag === undefined ? [] : [[flag, { isSwitch: kind.isSwitch === true }] as const]
  })
  return new Map(flags)
}

/**
 * Takes `--otel-x v`, `--otel-x=v` and switches out of the wrapper's arguments, up to a `--`; the last of several
 * wins. The value of an option that `isClaudes` (`--model`, …) is never ours, whatever it looks like.
 */
export function parseFlags(argv: readonly string[], isClaudes: (option: string) => boolean): ParsedFlags {
  const flags: Record<string, string | true> = {}
  const rest: string[] = []
  const problems: Failure[] = []
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? ''
    if (argument === '--') {
      rest.push(...argv.slice(at))
      break
    }
    const match = argument.startsWith('--') ? ours.exec(argument) : null
    if (match === null) {
      rest.push(argument)
      const value = argv[at + 1]
      if (isClaudes(argument) && value !== undefined) rest.push(argv[++at] ?? '')
      continue
    }
    const [, name = '', given] = match
    const flag = flagNames().get(name)
    const next = argv[at + 1]
    if (flag === undefined) problems.push(unknownFlag(name))
    else if (given !== undefined) flags[name] = given
    else if (flag.isSwitch) flags[name] = true
    else if (next === undefined || next.startsWith('--')) problems.push(missingValue(name))
    else flags[name] = argv[++at] ?? ''
  }
  return { flags, rest, problems }
}

function unknownFlag(name: string): Failure {
  const known = [...flagNames().keys()]
  const meant = nearest(name, known)
  const hint =
    meant === undefined ? `known are: ${known.map((flag) => `--${flag}`).join(', ')}` : `did you mean --${meant}?`
  return new Failure('usage', `there is no flag --${name}`, hint)
}

function missingValue(name: string): Failure {
  return new Failure('usage', `--${name} has no value`, `write --${name} <value> or --${name}=<value>`)
}
