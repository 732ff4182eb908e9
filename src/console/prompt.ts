/** The prompt of a chat: a line editor at the bottom of the screen, which also takes what is written while something else goes on. */

import { type Action, type Editor, emptyEditor, press } from './prompt-editor.ts'
import type { History } from './prompt-history.ts'
import type { Keyboard } from './prompt-keyboard.ts'
import { renderPrompt } from './prompt-view.ts'
import type { Bottom } from './screen.ts'
import type { Theme } from './theme.ts'

/** Where a bottom can be shown. */
export interface Ground {
  readonly theme: Theme
  /** What stands below all else, where there is anything. */
  setPrompt(render: ((columns: number) => Bottom | undefined) | undefined): void
  /** Shows this alone at the bottom, until the function that it gives is called. */
  cover(render: (columns: number) => Bottom): () => void
  refresh(): void
  clear(): void
}

export interface PromptOptions {
  readonly ground: Ground
  readonly keyboard: Keyboard
  readonly history: History
  /** What Tab completes a first word to. */
  readonly completions: () => readonly string[]
}

/** What somebody has said: a text, that it is to stop, or that there is no more. */
export type Said =
  | { readonly kind: 'text'; readonly text: string }
  /** `times`: how often in a row, without any other key in between. */
  | { readonly kind: 'interrupt'; readonly times: number }
  | { readonly kind: 'end' }

export class Prompt {
  private editor: Editor = emptyEditor
  /** Texts that were finished before anybody asked for them. */
  private readonly early: Said[] = []
  private waiting: ((said: Said) => void) | undefined
  private onInterrupt: (() => void) | undefined
  private interrupts = 0

  constructor(private readonly options: PromptOptions) {
    options.keyboard.focus((key) => {
      const { history, completions } = options
      this.interrupts = key.name === 'interrupt' && this.editor.text === '' ? this.interrupts + 1 : 0
      const step = press(this.editor, key, { history: history.all, completions: completions() })
      this.editor = step.editor
      if (step.action !== undefined) this.act(step.action)
      options.ground.refresh()
    })
    options.ground.setPrompt((columns) => this.render(columns))
  }

  /** The next that somebody says. */
  read(): Promise<Said> {
    const said = this.early.shift()
    if (said !== undefined) return Promise.resolve(said)
    const { promise, resolve } = Promise.withResolvers<Said>()
    this.waiting = resolve
    this.options.ground.refresh()
    return promise
  }

  /** While something else goes on, what is written waits, and `onInterrupt` hears of Ctrl-C and Escape. */
  during(onInterrupt: (() => void) | undefined): void {
    this.onInterrupt = onInterrupt
  }

  /** As if somebody had ended it: the terminal is gone. */
  end(): void {
    this.say({ kind: 'end' })
  }

  private act(action: Action): void {
    const isAsked = this.waiting !== undefined
    if (action === 'submit') this.submit()
    else if (action === 'clear') this.options.ground.clear()
    else if (action === 'suspend') this.suspend()
    else if (action === 'end-of-input') this.say({ kind: 'end' })
    else if (action === 'interrupt' && isAsked) this.say({ kind: 'interrupt', times: this.interrupts })
    else if (!isAsked) this.onInterrupt?.()
  }

  /** Nothing of the bottom stays where the shell writes. */
  private suspend(): void {
    const uncover = this.options.ground.cover(() => ({ rows: [] }))
    this.options.keyboard.suspend(uncover)
  }

  private submit(): void {
    const { text } = this.editor
    this.editor = emptyEditor
    if (text.trim() === '') return
    this.say({ kind: 'text', text })
  }

  private say(said: Said): void {
    const { waiting } = this
    this.waiting = undefined
    if (waiting === undefined) this.early.push(said)
    else waiting(said)
  }

  /** While nobody waits for it, only what there is. */
  private render(columns: number): Bottom | undefined {
    const { history, ground } = this.options
    const { theme } = ground
    const isFree = this.waiting !== undefined
    if (!isFree && this.editor.text === '') return undefined
    const caret = isFree ? theme.accent(theme.bold(theme.caret)) : theme.dim(theme.caret)
    return renderPrompt(this.editor, history.all, { lead: `${caret} `, theme }, columns)
  }
}
