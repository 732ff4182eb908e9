/** `claude-otel completion bash|zsh|fish`: what completes our command line, made from the tables of commands and settings. */
import { Failure } from '../base/errors.ts'
import { type Setting, settingKeys, settings } from '../config/settings.ts'
import { defineOurCommand } from './command.ts'
import { commands } from './index.ts'

const known = ['bash', 'zsh', 'fish'] as const

export default defineOurCommand({
  meta: { name: 'completion', description: 'Print what completes our commands and flags in a shell.' },
  words: known,
  args: { shell: { type: 'positional', required: true, description: `${known.join(', ')}.` } },
  async run({ args }) {
    const shell = known.find((each) => each === args.shell)
    if (shell === undefined)
      throw new Failure('usage', `there are no completions for "${args.shell}"`, `use ${known.join(', ')}`)
    process.stdout.write(scripts[shell](await grammar()))
  },
})

/** Everything that can be completed. */
interface Grammar {
  readonly commands: readonly Word[]
  /** Of a command, by its name. */
  readonly words: Readonly<Record<string, readonly Word[]>>
  readonly flags: readonly Flag[]
}

interface Word {
  readonly text: string
  readonly about: string
}

/** Of the wrapper; `values` only where they are a set of words. */
interface Flag extends Word {
  readonly takesValue: boolean
  readonly values: readonly string[]
}

async function grammar(): Promise<Grammar> {
  const ours = Object.entries(commands).filter(([, { isInternal }]) => isInternal !== true)
  const words = await Promise.all(
    ours.filter(([name]) => name !== 'hook').map(async ([name, { load }]) => [name, wordsOf(await load())] as const),
  )
  const flags = settingKeys.flatMap((key): Flag[] => {
    const { flag, kind, description }: Setting = settings[key]
    if (flag === undefined) return []
    return [{ text: `--${flag}`, about: description, takesValue: kind.isSwitch !== true, values: kind.words ?? [] }]
  })
  const told = ['--help', '--version', '--config'].map((text) => ({ text, about: '', takesValue: false, values: [] }))
  return {
    commands: ours.map(([text, { description }]) => ({ text, about: description })),
    words: Object.fromEntries(words),
    flags: [...told, ...flags],
  }
}

function wordsOf({ args, words }: Awaited<ReturnType<(typeof commands)['drain']['load']>>): Word[] {
  const options = Object.entries(args).filter(([, { type }]) => type !== 'positional')
  return [
    ...words.map((text) => ({ text, about: '' })),
    ...options.map(([name, { description = '' }]) => ({ text: `--${name}`, about: String(description) })),
    { text: '--help', about: '' },
  ]
}

const scripts: Readonly<Record<(typeof known)[number], (grammar: Grammar) => string>> = { bash, zsh, fish }

function bash(grammar: Grammar): string {
  const values = withValues(grammar).map(({ text, values }) => `    ${text}) words='${values.join(' ')}' ;;`)
  const words = Object.entries(grammar.words).map(([name, all]) => `    ${name}) words='${texts(all)}' ;;`)
  return `# claude-otel completion bash: source it from ~/.bashrc
_claude_otel() {
  local current=\${COMP_WORDS[COMP_CWORD]} words=''
  case \${COMP_WORDS[COMP_CWORD-1]} in
${values.join('\n')}
  esac
  if [[ -z $words && $COMP_CWORD -eq 1 ]]; then words='${texts([...grammar.commands, ...grammar.flags])}'; fi
  if [[ -z $words ]]; then case \${COMP_WORDS[1]} in
${words.join('\n')}
    -*) words='${texts(grammar.flags)}' ;;
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _claude_otel claude-otel
`
}

function zsh(grammar: Grammar): string {
  const described = (all: readonly Word[]) =>
    all.map(({ text, about }) => quote(about === '' ? text : `${text}:${about}`)).join(' ')
  const values = withValues(grammar).map(({ text, values }) => `    ${text}) compadd -- ${values.join(' ')}; return ;;`)
  const words = Object.entries(grammar.words).map(([name, all]) => `    ${name}) words_=(${described(all)}) ;;`)
  return `#compdef claude-otel
# claude-otel completion zsh: eval it in ~/.zshrc after compinit, or put it into a folder of fpath as _claude-otel
_claude_otel() {
  local -a words_
  case \${words[CURRENT-1]} in
${values.join('\n')}
  esac
  if (( CURRENT == 2 )); then
    words_=(${described([...grammar.commands, ...grammar.flags])})
  else case \${words[2]} in
${words.join('\n')}
    -*) words_=(${described(grammar.flags)}) ;;
  esac; fi
  (( \${#words_} )) && _describe -V claude-otel words_ || _files
}
if [[ \${funcstack[1]} == _claude-otel ]]; then _claude_otel "$@"; else compdef _claude_otel claude-otel; fi
`
}

function fish(grammar: Grammar): string {
  const names = grammar.commands.map(({ text }) => text).join(' ')
  const first = `-n ${quote(`not __fish_seen_subcommand_from ${names}`)}`
  const line = (more: string, about: string) =>
    `complete -c claude-otel ${more}${about === '' ? '' : ` -d ${quote(about, fishQuote)}`}`
  const lines = [
    ...grammar.commands.map(({ text, about }) => line(`${first} -a ${text}`, about)),
    ...grammar.flags.map(({ text, about, takesValue, values }) => {
      const value = values.length > 0 ? ` -x -a ${quote(values.join(' '))}` : takesValue ? ' -r' : ''
      return line(`${first} -l ${text.slice(2)}${value}`, about)
    }),
    ...Object.entries(grammar.words).flatMap(([name, all]) =>
      all.map(({ text, about }) => {
        const what = text.startsWith('--') ? `-l ${text.slice(2)}` : `-a ${text}`
        return line(`-n ${quote(`__fish_seen_subcommand_from ${name}`)} ${what}`, about)
      }),
    ),
  ]
  return `# claude-otel completion fish: save it as ~/.config/fish/completions/claude-otel.fish\n${lines.join('\n')}\n`
}

function withValues({ flags }: Grammar): readonly Flag[] {
  return flags.filter(({ values }) => values.length > 0)
}

function texts(words: readonly Word[]): string {
  return words.map(({ text }) => text).join(' ')
}

function quote(text: string, inside = posixQuote): string {
  return `'${inside(text)}'`
}

function posixQuote(text: string): string {
  return text.replaceAll("'", "'\\''")
}

function fishQuote(text: string): string {
  return text.replaceAll(/[\\']/g, '\\$&')
}
