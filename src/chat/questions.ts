/** What claude asks a person in a chat: whether a tool may run, which way to go, whether a plan is good. One at a time. */
import type { CanUseTool, PermissionResult, PermissionUpdate } from '@anthropic-ai/claude-agent-sdk/core'
import type { AgentConsole } from '../console/console.ts'
import { renderMarkdown } from '../console/markdown.ts'
import { type Row, renderPanel, renderRows } from '../console/panel.ts'
import { askText, type ChoiceOptions, choose } from '../console/prompt-choice.ts'
import type { Keyboard } from '../console/prompt-keyboard.ts'
import { cutEnd, harmless, oneLine } from '../console/text.ts'
import { isRecord, toolName } from '../console/titles.ts'

type AskOptions = Parameters<CanUseTool>[2]
type Input = Record<string, unknown>

export interface QuestionsOptions {
  readonly console: AgentConsole
  readonly keyboard: Keyboard
  readonly mask: (text: string) => string
}

/** Of a value that is shown before somebody says yes to it. */
const maxLines = 12
const maxChars = 4000

export class Questions {
  private last: Promise<unknown> = Promise.resolve()

  constructor(private readonly options: QuestionsOptions) {}

  /** Never rejects; a question that is taken back is denied. */
  readonly canUseTool: CanUseTool = (tool, input, asked) => {
    const answer = this.last.then(() => this.ask(tool, input, asked))
    this.last = answer
    return answer
  }

  private ask(tool: string, input: Input, asked: AskOptions): Promise<PermissionResult> {
    if (tool === 'AskUserQuestion') return this.askQuestions(input, asked)
    if (tool === 'ExitPlanMode') return this.askPlan(input, asked)
    return this.askPermission(tool, input, asked)
  }

  private get width(): number {
    return this.options.console.screen.columns
  }

  private how({ signal }: AskOptions): ChoiceOptions {
    return { ground: this.options.console, keyboard: this.options.keyboard, signal }
  }

  private async askPermission(tool: string, input: Input, asked: AskOptions): Promise<PermissionResult> {
    const { console } = this.options
    const { theme } = console
    const who = asked.agentID === undefined ? 'Claude' : 'An agent'
    console.tell('question', theme.bold(oneLine(asked.title ?? `${who} wants to use ${toolName(tool)}`)))
    console.print(this.describe(input, asked))
    const rules = asked.suppressAlwaysAllowRule === true ? [] : forThisSession(asked.suggestions ?? [])
    const always =
      rules.length === 0 ? [] : [{ label: 'Yes, and in this session from now on', about: rulesText(rules) }]
    const choices = [{ label: 'Yes' }, ...always, { label: 'No', about: 'and say what to do instead' }]
    const isCareful = asked.defaultToNo === true
    const how = { first: isCareful ? choices.length - 1 : 0, hasNumbers: !isCareful }
    const [chosen] = (await choose(choices, how, this.how(asked))) ?? []
    if (chosen === undefined) return this.denied('', asked)
    if (chosen === choices.length - 1) return this.denied(await this.reason(asked), asked)
    const isAlways = chosen === 1
    console.decided(asked.toolUseID, true)
    console.tell('note', theme.dim(isAlways ? `allowed from now on: ${rulesText(rules)}` : 'allowed'))
    return {
      behavior: 'allow',
      updatedInput: input,
      ...(isAlways ? { updatedPermissions: rules } : {}),
      decisionClassification: 'user_temporary',
    }
  }

  /** The input field by field, as far as somebody can look at it. */
  private describe(input: Input, { blockedPath, decisionReason }: AskOptions): string[] {
    const { console, mask } = this.options
    const { theme } = console
    const fields = Object.entries(input).map(([name, value]): Row => [oneLine(name), this.shown(value)])
    const why = decisionReason === undefined ? [] : [['why', oneLine(mask(decisionReason))] as const]
    const where = blockedPath === undefined ? [] : [['path', oneLine(blockedPath)] as const]
    return renderRows([...fields, ...where, ...why], this.width - 3, theme).map((line) => `   ${line}`)
  }

  private shown(value: unknown): string {
    const { console, mask } = this.options
    const { dots } = console.theme
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
    const lines = harmless(mask(text.slice(0, maxChars))).split('\n')
    const cut = lines.slice(0, maxLines).map((line) => cutEnd(line, 400, dots))
    const more = lines.length > maxLines || text.length > maxChars ? [`${dots} (${text.length} characters in all)`] : []
    return [...cut, ...more].join('\n')
  }

  private async reason(asked: AskOptions): Promise<string> {
    return (await askText('  What instead?', 'Enter for nothing', this.how(asked))) ?? ''
  }

  /** Without a word of what to do instead the turn ends, as it does in claude. */
  private denied(reason: string, { signal, toolUseID }: AskOptions): PermissionResult {
    const { console } = this.options
    const isTakenBack = signal.aborted
    const told = reason === '' ? 'denied' : `denied: ${oneLine(reason)}`
    console.decided(toolUseID, false)
    if (!isTakenBack) console.tell('note', console.theme.dim(told))
    const message =
      reason === ''
        ? 'The user does not want this to be done. Stop and wait for what they say next.'
        : `The user does not want this to be done. They say: ${reason}`
    return { behavior: 'deny', message, interrupt: reason === '', decisionClassification: 'user_reject' }
  }

  private async askPlan(input: Input, asked: AskOptions): Promise<PermissionResult> {
    const { console } = this.options
    const { theme } = console
    const plan = typeof input.plan === 'string' ? input.plan : ''
    const room = Math.min(96, Math.max(4, this.width - 4))
    console.print([
      '',
      ...renderPanel({ title: 'The plan', lines: renderMarkdown(plan, room, theme) }, this.width, theme),
    ])
    const choices = [
      { label: 'Yes, and accept edits' },
      { label: 'Yes, and ask before each edit' },
      { label: 'No', about: 'go on planning' },
    ]
    const [chosen] = (await choose(choices, {}, this.how(asked))) ?? []
    if (chosen === undefined) return this.denied('', asked)
    if (chosen === 2) return this.denied((await this.reason(asked)) || 'Go on planning.', asked)
    const mode = chosen === 0 ? 'acceptEdits' : 'default'
    console.tell('note', theme.dim(`plan approved, permission mode ${mode}`))
    const updatedPermissions: PermissionUpdate[] = [{ type: 'setMode', mode, destination: 'session' }]
    return { behavior: 'allow', updatedInput: input, updatedPermissions }
  }

  private async askQuestions(input: Input, asked: AskOptions): Promise<PermissionResult> {
    const questions = Array.isArray(input.questions) ? input.questions.filter(isRecord) : []
    const answers: Record<string, string> = {}
    for (const question of questions) {
      const answer = await this.askQuestion(question, asked)
      if (answer === undefined) return this.denied('', asked)
      answers[String(question.question)] = answer
    }
    return { behavior: 'allow', updatedInput: { ...input, answers } }
  }

  private async askQuestion(question: Readonly<Input>, asked: AskOptions): Promise<string | undefined> {
    const { console } = this.options
    const { theme } = console
    const options = Array.isArray(question.options) ? question.options.filter(isRecord) : []
    console.tell('question', theme.bold(oneLine(String(question.question))))
    const labels = options.map(({ label }) => String(label))
    const choices = options.map(({ label, description }) => ({
      label: oneLine(String(label)),
      about: oneLine(String(description ?? '')),
    }))
    const isMany = question.multiSelect === true
    const chosen = await choose([...choices, { label: 'Something else' }], { isMany }, this.how(asked))
    if (chosen === undefined) return undefined
    const isElse = chosen.includes(labels.length)
    const own = isElse ? await askText('  Your answer:', '', this.how(asked)) : undefined
    if (isElse && (own === undefined || own === '')) return undefined
    const all = [...chosen.flatMap((at) => labels[at] ?? []), ...(own === undefined ? [] : [own])]
    console.tell('note', theme.dim(all.map(oneLine).join(', ')))
    return all.join(', ')
  }
}

/** As narrow as a suggestion is: its rules, never in a file; a mode that allows more only where there is no rule. */
export function forThisSession(suggestions: readonly PermissionUpdate[]): PermissionUpdate[] {
  const here = suggestions.map((update): PermissionUpdate => ({ ...update, destination: 'session' }))
  const rules = here.filter(({ type }) => type === 'addRules')
  const kept = rules.length > 0 ? here.filter(({ type }) => type !== 'setMode') : here
  return kept.filter((update) => update.type !== 'addRules' || update.behavior === 'allow')
}

export function rulesText(updates: readonly PermissionUpdate[]): string {
  const told = updates.flatMap((update): string[] => {
    if (update.type === 'setMode') return [`permission mode ${update.mode}`]
    if (update.type === 'addDirectories') return update.directories.map((folder) => `files in ${folder}`)
    if (update.type !== 'addRules') return []
    return update.rules.map(({ toolName: tool, ruleContent }) =>
      ruleContent === undefined ? tool : `${tool}(${ruleContent})`,
    )
  })
  return cutEnd(oneLine(told.join(', ')), 160)
}
