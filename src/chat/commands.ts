/** The commands of a chat: the table of ours. Any other that claude knows goes to claude. */

export interface ChatCommand {
  readonly name: string
  readonly about: string
  /** What may stand behind it. */
  readonly argument?: string
}

export const chatCommands = [
  { name: 'help', about: 'this list' },
  { name: 'cost', about: 'what this chat has used: tokens, cost, tools, context' },
  { name: 'tools', about: 'which tools have run, and how often' },
  { name: 'trace', about: 'where the telemetry of this session can be seen' },
  { name: 'clear', about: 'begin a new session with an empty context' },
  { name: 'model', about: 'go on with another model', argument: 'name' },
  { name: 'resume', about: 'go on with an earlier session of this folder', argument: 'id' },
  { name: 'exit', about: 'leave; so do exit, quit, bye and Ctrl-D' },
] as const satisfies readonly ChatCommand[]

export type ChatCommandName = (typeof chatCommands)[number]['name']

/** Keys that a person cannot guess. */
export const chatKeys: readonly (readonly [string, string])[] = [
  ['\\ Enter, Alt-Enter, Ctrl-J', 'a new line'],
  ['Up, Down, Ctrl-R', 'what was said before; search in it'],
  ['Ctrl-C, Esc', 'interrupt what goes on; at the prompt Ctrl-C twice leaves'],
]

export type Request =
  | { readonly kind: 'prompt' }
  | { readonly kind: 'exit' }
  | { readonly kind: 'ours'; readonly name: ChatCommandName; readonly argument: string }
  | { readonly kind: 'theirs'; readonly name: string }

const exitWords: ReadonlySet<string> = new Set(['exit', 'quit', 'bye', '/exit', '/quit'])

/** A path is no command, though it begins like one. */
export function readRequest(text: string): Request {
  const said = text.trim()
  if (exitWords.has(said.toLowerCase())) return { kind: 'exit' }
  const [, name, argument = ''] = /^\/([\w:-]+)(?:\s+([\s\S]*))?$/.exec(said) ?? []
  if (name === undefined) return { kind: 'prompt' }
  const ours = chatCommands.find((command) => command.name === name)
  return ours === undefined ? { kind: 'theirs', name } : { kind: 'ours', name: ours.name, argument: argument.trim() }
}
