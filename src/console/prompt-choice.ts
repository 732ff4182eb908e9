/** A question with a few answers at the bottom of the screen: an arrow and Enter, a number, or Escape. */

import type { Ground } from './prompt.ts'
import { type Editor, emptyEditor, press } from './prompt-editor.ts'
import type { Keyboard } from './prompt-keyboard.ts'
import type { Key } from './prompt-keys.ts'
import { renderPrompt } from './prompt-view.ts'
import type { Bottom } from './screen.ts'
import { cutEnd, wrapHanging } from './text.ts'
import type { Theme } from './theme.ts'

export interface Choice {
  readonly label: string
  readonly about?: string
}

export interface ChoiceOptions {
  readonly ground: Ground
  readonly keyboard: Keyboard
  /** Ends the question, as Escape does. */
  readonly signal: AbortSignal
}

/** A question may come up under the fingers of somebody who writes: an Enter so soon after it, or after a letter, is not meant for it. */
const graceMs = 300

interface State {
  readonly at: number
  readonly chosen: ReadonlySet<number>
}

/**
 * Which of the choices, by their numbers; undefined for none. With `isMany` Space marks and Enter takes all that are marked.
 * `first` is where the arrow begins; without `hasNumbers` a single key is not enough.
 */
export function choose(
  choices: readonly Choice[],
  how: { readonly first?: number; readonly isMany?: boolean; readonly hasNumbers?: boolean },
  options: ChoiceOptions,
): Promise<readonly number[] | undefined> {
  const { first = 0, isMany = false, hasNumbers = true } = how
  let state: State = { at: first, chosen: new Set() }
  let quietMs = performance.now() + graceMs
  return attend(
    options,
    (columns, theme) => renderChoices(choices, state, isMany, columns, theme),
    (key, done) => {
      if (key.name === 'escape' || key.name === 'interrupt') return done(undefined)
      if (performance.now() < quietMs) {
        quietMs = performance.now() + graceMs
        return
      }
      if (key.name === 'enter') return done(isMany && state.chosen.size > 0 ? [...state.chosen].sort() : [state.at])
      const number = key.name === 'text' && /^[1-9]$/.test(key.text) ? Number(key.text) - 1 : -1
      if (choices[number] !== undefined && hasNumbers) {
        if (!isMany) return done([number])
        state = { at: number, chosen: toggled(state.chosen, number) }
      } else if (key.name === 'text' && key.text === ' ' && isMany) {
        state = { ...state, chosen: toggled(state.chosen, state.at) }
      } else if (key.name === 'up' || key.name === 'down') {
        const step = key.name === 'up' ? choices.length - 1 : 1
        state = { ...state, at: (state.at + step) % choices.length }
      } else quietMs = performance.now() + graceMs
    },
  )
}

/** A text in an editor of its own; undefined where somebody would rather not. */
export function askText(lead: string, hint: string, options: ChoiceOptions): Promise<string | undefined> {
  let editor: Editor = emptyEditor
  return attend(
    options,
    (columns, theme) => renderPrompt(editor, [], { lead: `${lead} `, theme, hint }, columns),
    (key, done) => {
      if (key.name === 'interrupt') return done(undefined)
      const step = press(editor, key, { history: [], completions: [] })
      editor = step.editor
      if (step.action === 'submit') done(editor.text.trim())
      if (step.action === 'escape') done(undefined)
    },
  )
}

/** Has the bottom of the screen and the keyboard until it is done. */
function attend<T>(
  { ground, keyboard, signal }: ChoiceOptions,
  render: (columns: number, theme: Theme) => Bottom,
  onKey: (key: Key, done: (answer: T | undefined) => void) => void,
): Promise<T | undefined> {
  if (signal.aborted) return Promise.resolve(undefined)
  const { promise, resolve } = Promise.withResolvers<T | undefined>()
  const uncover = ground.cover((columns) => render(columns, ground.theme))
  const release = keyboard.focus((key) => {
    onKey(key, done)
    ground.refresh()
  })
  const done = (answer: T | undefined): void => {
    release()
    uncover()
    signal.removeEventListener('abort', onAbort)
    resolve(answer)
  }
  const onAbort = () => done(undefined)
  signal.addEventListener('abort', onAbort)
  return promise
}

function toggled(chosen: ReadonlySet<number>, number: number): ReadonlySet<number> {
  return chosen.has(number) ? new Set([...chosen].filter((each) => each !== number)) : new Set([...chosen, number])
}

function renderChoices(
  choices: readonly Choice[],
  { at, chosen }: State,
  isMany: boolean,
  columns: number,
  theme: Theme,
): Bottom {
  const rows = choices.flatMap(({ label, about }, number) => {
    const isAt = number === at
    const mark = isMany ? (chosen.has(number) ? '[x] ' : '[ ] ') : ''
    const lead = `${isAt ? theme.accent(theme.caret) : ' '} ${number + 1}. ${mark}`
    const told = about === undefined || about === '' ? '' : theme.dim(`${theme.between}${about}`)
    return wrapHanging(`${isAt ? theme.bold(label) : label}${told}`, columns - 1, lead)
  })
  const keys = isMany ? 'Space marks, Enter takes, Esc leaves' : `Enter takes, Esc leaves`
  return { rows: [...rows, theme.dim(cutEnd(keys, columns - 1, theme.dots))] }
}
