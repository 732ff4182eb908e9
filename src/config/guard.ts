/**
 * The guard's thresholds: `guard` in the user's file or `CLAUDE_OTEL_GUARD`, a list, and one setting each for the usual ones. All
 * that is wrong in any of them is told at once.
 */
import { command, type GuardMeasure, showThreshold, type Threshold, threshold, webhook } from './guard-kinds.ts'
import { isObject, type Kind, showText } from './kinds.ts'
import type { SettingKey } from './settings.ts'
import { nearest } from './suggest.ts'
import type { Report, Values } from './values.ts'

export interface GuardRule {
  /** What it is for people, and what its firings are known by: `context above 80%`, `cost of a day above $5`. */
  readonly name: string
  readonly on: GuardMeasure
  readonly per: 'session' | 'day'
  /** A share of the context window from 0 to 1, tokens, or US dollars. */
  readonly above: number
  readonly unit: Threshold['unit']
  /** A program and its arguments; no shell. */
  readonly command?: readonly string[]
  readonly webhook?: string
  /** Whether it is shown on the dashboard and said on stderr. */
  readonly isNoticed: boolean
  /** How long the command may take. */
  readonly timeoutMs: number
}

type Actions = Pick<GuardRule, 'command' | 'webhook' | 'isNoticed'>

const measures = ['context', 'tokens', 'cost'] as const

/** The rules of all sources together; one that is given twice is one. */
export function guardRules(values: Values, report: Report): readonly GuardRule[] {
  const { value = [], origin } = values.of('guard')
  const timeoutMs = values.get('guard.timeout')
  const listed = value.flatMap((raw, at) => new Entry(raw, at, origin, timeoutMs, report).rules())
  const rules = [...listed, ...shortRules(values, timeoutMs)]
  for (const key of ['guard.command', 'guard.webhook'] as const) {
    const { value: given, origin: from } = values.of(key)
    if (given === undefined || shortRules(values, timeoutMs).length > 0) continue
    const [which, hint] = [`${key} is set (from ${from}), and no threshold that it belongs to`, 'set guard.context too']
    report.note(`${which}: ${hint}`)
  }
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()]
}

/** The thresholds that have a setting of their own; their actions are `guard.command` and `guard.webhook`. */
const short = {
  'guard.context': ['context', 'session'],
  'guard.tokens': ['tokens', 'session'],
  'guard.cost': ['cost', 'session'],
  'guard.dayTokens': ['tokens', 'day'],
  'guard.dayCost': ['cost', 'day'],
} as const satisfies { [K in SettingKey]?: readonly [GuardMeasure, GuardRule['per']] }

function shortRules(values: Values, timeoutMs: number): GuardRule[] {
  const [command, webhook] = [values.of('guard.command').value, values.of('guard.webhook').value]
  const actions = {
    isNoticed: true,
    ...(command === undefined ? {} : { command }),
    ...(webhook === undefined ? {} : { webhook }),
  }
  return Object.entries(short).flatMap(([key, [on, per]]) => {
    const threshold = values.of(key as keyof typeof short).value
    return threshold === undefined ? [] : [{ ...ruleOf(on, per, threshold), ...actions, timeoutMs }]
  })
}

function ruleOf(on: GuardMeasure, per: GuardRule['per'], { above, unit }: Threshold) {
  const what = per === 'day' ? `${on} of a day` : on
  return { name: `${what} above ${showThreshold({ above, unit })}`, on, per, above, unit }
}

const own = ['on', 'above', 'per', 'do'] as const
const actionNames = ['command', 'webhook', 'notice'] as const

class Entry {
  private readonly label: string
  private isBroken = false

  constructor(
    private readonly raw: Readonly<Record<string, unknown>>,
    at: number,
    private readonly origin: string,
    private readonly timeoutMs: number,
    private readonly report: Report,
  ) {
    this.label = `guard number ${at + 1}`
  }

  /** None where anything is wrong. */
  rules(): GuardRule[] {
    this.refuseUnknown(this.raw, own, 'of a guard')
    const on = this.oneOf('on', measures, undefined)
    const per = this.oneOf('per', ['session', 'day'] as const, 'session')
    if (on === 'context' && per === 'day') this.problem('per is "day"', 'a context is of one session: leave it out')
    const amount = on === undefined ? undefined : this.read('above', this.raw.above, threshold(on))
    const actions = this.actions()
    if (this.isBroken || on === undefined || per === undefined || amount === undefined) return []
    return [{ ...ruleOf(on, per, amount), ...actions, timeoutMs: this.timeoutMs }]
  }

  private actions(): Actions {
    const { do: given = 'notice' } = this.raw
    if (given === 'notice') return { isNoticed: true }
    if (!isObject(given)) {
      this.problem(`do is ${JSON.stringify(given)}`, 'use "notice", or an object with "command", "webhook" or both')
      return { isNoticed: true }
    }
    this.refuseUnknown(given, actionNames, 'to do')
    const argv = given.command === undefined ? undefined : this.read('command', given.command, command())
    const url = given.webhook === undefined ? undefined : this.read('webhook', given.webhook, webhook())
    const { notice = true } = given
    if (typeof notice !== 'boolean') this.problem(`notice is ${JSON.stringify(notice)}`, 'use true or false')
    if (notice === false && argv === undefined && url === undefined && !this.isBroken)
      this.problem('there is nothing to do', 'name a "command" or a "webhook", or leave "notice" out')
    return {
      isNoticed: notice !== false,
      ...(argv === undefined ? {} : { command: argv }),
      ...(url === undefined ? {} : { webhook: url }),
    }
  }

  private oneOf<const C extends string>(name: string, words: readonly C[], otherwise: C | undefined): C | undefined {
    const raw = this.raw[name]
    const found = raw === undefined ? otherwise : words.find((word) => word === raw)
    if (found !== undefined) return found
    this.problem(
      raw === undefined ? `${name} is not there` : `${name} is ${JSON.stringify(raw)}`,
      `use one of: ${words.join(', ')}`,
    )
    return undefined
  }

  private read<T>(name: string, raw: unknown, kind: Kind<T>): T | undefined {
    const result = kind.read(raw, this.origin)
    if ('value' in result) return result.value
    const written = showText(JSON.stringify(raw) ?? 'not there')
    const shown = name === 'webhook' ? withoutPath(raw) : written
    this.problem(`${name} is ${shown}`, result.hint)
    return undefined
  }

  private refuseUnknown(given: Readonly<Record<string, unknown>>, known: readonly string[], where: string): void {
    for (const name of Object.keys(given).filter((each) => !known.includes(each))) {
      const meant = nearest(name, known)
      const hint = meant === undefined ? `use some of: ${known.join(', ')}` : `did you mean ${meant}?`
      this.problem(`"${name}" is nothing ${where}`, hint)
    }
  }

  private problem(what: string, hint: string): void {
    this.isBroken = true
    this.report.add(`${this.label}: ${what} (from ${this.origin})`, hint)
  }
}

/** What stands behind the host can be a key. */
function withoutPath(raw: unknown): string {
  const url = typeof raw === 'string' ? URL.parse(raw) : null
  return url === null ? 'unreadable' : `"${url.protocol}//${url.host}/…"`
}
