/** What the commands of a chat do that tell of it or choose something: one function each. */
import { type KeptSession, listSessions } from '../claude/sessions.ts'
import type { AgentConsole } from '../console/console.ts'
import { renderRows, renderRowsPanel } from '../console/panel.ts'
import { type Choice, choose } from '../console/prompt-choice.ts'
import type { Keyboard } from '../console/prompt-keyboard.ts'
import { cutEnd, oneLine } from '../console/text.ts'
import { renderMetrics, renderTools } from './banner.ts'
import { type ChatCommandName, chatCommands, chatKeys } from './commands.ts'
import type { ChatOptions } from './options.ts'
import type { Talk } from './talk.ts'

export interface ActionsOptions {
  readonly console: AgentConsole
  readonly keyboard: Keyboard
  readonly talk: Talk
  readonly options: ChatOptions
}

/** How many earlier sessions are offered, and how many can be named. */
const [offered, known] = [9, 100]

export class Actions {
  constructor(private readonly at: ActionsOptions) {}

  /** `theirs`: the commands that claude knows. */
  async act(name: ChatCommandName, argument: string, theirs: readonly string[]): Promise<void> {
    const { console } = this.at
    const { columns } = console.screen
    if (name === 'help') console.print(this.help(theirs))
    if (name === 'cost') console.print(renderMetrics(console.metrics, columns, console.theme))
    if (name === 'tools') console.print(renderTools(console.metrics, columns, console.theme))
    if (name === 'trace') await this.trace()
    if (name === 'model') await this.model(argument)
  }

  /** By the beginning of its id, or from a list; its prompt as it can be shown. Undefined where none is chosen or there. */
  async chooseSession(id: string): Promise<KeptSession | undefined> {
    const { console, talk, options } = this.at
    const { env, cwd, mask } = options
    const sessions = listSessions(env, cwd, known)
      .filter((each) => each.id !== talk.sessionId)
      .map((each) => ({ ...each, prompt: cutEnd(oneLine(mask(each.prompt)), 60) }))
    if (sessions.length === 0) {
      console.tell('note', 'There is no earlier session of this folder.')
      return undefined
    }
    if (id === '') {
      const shown = sessions.slice(0, offered)
      const at = await this.chooseOne(shown.map(({ prompt, atUnixMs }) => ({ label: prompt, about: timeOf(atUnixMs) })))
      return at === undefined ? undefined : shown[at]
    }
    const found = sessions.find((each) => each.id.startsWith(id))
    if (found === undefined) console.tell('failure', `There is no session ${oneLine(id)} of this folder`)
    return found
  }

  private help(theirs: readonly string[]): string[] {
    const { theme, screen } = this.at.console
    const ours = chatCommands.map(({ name, about, ...more }) => {
      const argument = 'argument' in more ? ` [${more.argument}]` : ''
      return [`/${name}${argument}`, about] as const
    })
    const others = theirs.filter(
      (name) => !name.startsWith('_') && !chatCommands.some((command) => command.name === name),
    )
    const more = others.length === 0 ? [] : [['claude’s own', others.map((name) => `/${name}`).join(' ')] as const]
    return renderRows([...ours, ...more, ...chatKeys], screen.columns, theme)
  }

  private async trace(): Promise<void> {
    const { console, talk, options } = this.at
    const { theme, screen } = console
    const { run } = await talk.start()
    if (run === undefined) {
      console.tell('note', 'Telemetry is off: nothing is recorded.')
      return
    }
    const rows = await options.places.traceOf(run, talk.sessionId)
    console.print(renderRowsPanel(theme.isRich ? '🔭 Trace' : 'Trace', rows, [], screen.columns, theme))
  }

  private async model(name: string): Promise<void> {
    const { query } = await this.at.talk.start()
    const value = name === '' ? await this.chooseModel(await query.supportedModels()) : name
    if (value === undefined) return
    await query.setModel(value)
    this.at.console.tell('note', `From now on: ${oneLine(value)}`)
  }

  private async chooseModel(
    models: readonly { readonly value: string; readonly displayName: string; readonly description: string }[],
  ): Promise<string | undefined> {
    const choices = models.map(({ displayName, description }) => ({ label: displayName, about: oneLine(description) }))
    const at = await this.chooseOne(choices)
    return at === undefined ? undefined : models[at]?.value
  }

  private async chooseOne(choices: readonly Choice[]): Promise<number | undefined> {
    const { console, keyboard } = this.at
    const chosen = await choose(choices, {}, { ground: console, keyboard, signal: new AbortController().signal })
    return chosen?.[0]
  }
}

/** `2026-11-21 21:48`, of this place. */
function timeOf(unixMs: number): string {
  return new Date(unixMs).toLocaleString('sv').slice(0, 16)
}
