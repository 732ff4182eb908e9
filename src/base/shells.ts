/** How each shell sets a variable to a text, whatever stands in the text. Pure. */
import { Failure } from './errors.ts'

const posix = (name: string, value: string) => `export ${name}='${value.replaceAll("'", "'\\''")}'`

/** One line for a variable. */
const assignments = {
  sh: posix,
  bash: posix,
  zsh: posix,
  fish: (name, value) => `set -gx ${name} '${value.replaceAll(/[\\']/g, '\\$&')}'`,
  powershell: (name, value) => `$env:${name} = '${value.replaceAll(/['‘’‚‛]/g, '$&$&')}'`,
  // As a batch file takes it, where a percent sign is written twice.
  cmd: (name, value) => `set "${name}=${value.replaceAll('%', '%%')}"`,
} as const satisfies Record<string, (name: string, value: string) => string>

export type Shell = keyof typeof assignments

export const shells = Object.keys(assignments) as readonly Shell[]

/** The shell of that name, or of a path to it. */
export function shellNamed(name: string): Shell | undefined {
  const word = name
    .split(/[/\\]/)
    .at(-1)
    ?.replace(/\.exe$/i, '')
    .toLowerCase()
  if (word === 'dash' || word === 'ash' || word === 'ksh') return 'sh'
  return word === 'pwsh' ? 'powershell' : shells.find((shell) => shell === word)
}

/** Lines that set the variables when the shell runs them. Fails (`data`) on what cmd has no way to write. */
export function renderVariables(shell: Shell, variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => {
      if (shell === 'cmd' && /[\r\n"]/.test(value)) {
        throw new Failure('data', `${name} has a quote or a line break, which cmd cannot set`, 'use powershell')
      }
      return `${assignments[shell](name, value)}\n`
    })
    .join('')
}
