/** A text of several lines under a person's keys, with the history of what was said before. A state and a key in, a state out. */

import type { Key } from './prompt-keys.ts'
import { graphemes, harmless } from './text.ts'

export interface Editor {
  readonly text: string
  /** Where in the text, in code units, always between two characters. */
  readonly cursor: number
  /** Which entry of the history is shown, counted from the newest; absent: what is being written. */
  readonly entry?: number
  /** What was being written when the history was opened. */
  readonly draft?: string
  /** What was cut last. */
  readonly killed?: string
  /** A search in the history, backwards. */
  readonly search?: { readonly query: string; readonly skip: number }
}

export type Action = 'submit' | 'interrupt' | 'end-of-input' | 'clear' | 'suspend' | 'escape'

export interface Step {
  readonly editor: Editor
  readonly action?: Action
}

export const emptyEditor: Editor = { text: '', cursor: 0 }

/** `history` has the newest first; `completions` are words that Tab can end a first word with. */
export interface Surroundings {
  readonly history: readonly string[]
  readonly completions: readonly string[]
}

export function press(editor: Editor, key: Key, around: Surroundings): Step {
  if (editor.search !== undefined) return searching(editor, editor.search, key, around)
  if ('text' in key) return { editor: insert(editor, harmless(key.text)) }
  return keys[key.name]?.(editor, around) ?? { editor }
}

type Handler = (editor: Editor, around: Surroundings) => Step

const keys: Readonly<Partial<Record<Key['name'], Handler>>> = {
  enter: (editor) => {
    const { text, cursor } = editor
    // A backslash at the end of a line goes on in the next one.
    if (text.slice(0, cursor).endsWith('\\') && cursor === text.length)
      return { editor: insert(replaced(editor, cursor - 1, cursor, ''), '\n') }
    return { editor, action: 'submit' }
  },
  newline: (editor) => ({ editor: insert(editor, '\n') }),
  backspace: (editor) => ({ editor: replaced(editor, before(editor), editor.cursor, '') }),
  delete: (editor) => ({ editor: replaced(editor, editor.cursor, after(editor), '') }),
  left: (editor) => ({ editor: moved(editor, before(editor)) }),
  right: (editor) => ({ editor: moved(editor, after(editor)) }),
  'word-left': (editor) => ({ editor: moved(editor, wordBefore(editor)) }),
  'word-right': (editor) => ({ editor: moved(editor, wordAfter(editor)) }),
  home: (editor) => ({ editor: moved(editor, lineStart(editor)) }),
  end: (editor) => ({ editor: moved(editor, lineEnd(editor)) }),
  up: (editor, { history }) => ({ editor: upOrOlder(editor, history) }),
  down: (editor, { history }) => ({ editor: downOrNewer(editor, history) }),
  'kill-line': (editor) => ({ editor: killed(editor, editor.cursor, Math.max(lineEnd(editor), after(editor, true))) }),
  'kill-back': (editor) => ({ editor: killed(editor, lineStart(editor), editor.cursor) }),
  'kill-word': (editor) => ({ editor: killed(editor, wordBefore(editor), editor.cursor) }),
  yank: (editor) => ({ editor: insert(editor, editor.killed ?? '') }),
  search: (editor) => ({ editor: { ...editor, search: { query: '', skip: 0 } } }),
  tab: (editor, { completions }) => ({ editor: completed(editor, completions) }),
  clear: (editor) => ({ editor, action: 'clear' }),
  escape: (editor) => ({ editor, action: 'escape' }),
  suspend: (editor) => ({ editor, action: 'suspend' }),
  interrupt: (editor) => (editor.text === '' ? { editor, action: 'interrupt' } : { editor: emptyEditor }),
  'end-of-input': (editor) =>
    editor.text === ''
      ? { editor, action: 'end-of-input' }
      : { editor: replaced(editor, editor.cursor, after(editor), '') },
}

function replaced(editor: Editor, from: number, to: number, text: string): Editor {
  const { killed: last } = editor
  const kept = last === undefined ? {} : { killed: last }
  return { ...kept, text: editor.text.slice(0, from) + text + editor.text.slice(to), cursor: from + text.length }
}

function insert(editor: Editor, text: string): Editor {
  return replaced(editor, editor.cursor, editor.cursor, text)
}

function moved(editor: Editor, cursor: number): Editor {
  return { ...editor, cursor }
}

function killed(editor: Editor, from: number, to: number): Editor {
  return from === to ? editor : { ...replaced(editor, from, to, ''), killed: editor.text.slice(from, to) }
}

function before({ text, cursor }: Editor): number {
  return cursor - (graphemes(text.slice(0, cursor)).at(-1)?.length ?? 0)
}

/** `isAtEnd`: only over the line feed at a line's end. */
function after({ text, cursor }: Editor, isAtEnd = false): number {
  const [next = ''] = graphemes(text.slice(cursor, cursor + 64))
  return isAtEnd && next !== '\n' ? cursor : cursor + next.length
}

function wordBefore({ text, cursor }: Editor): number {
  return /(?:[\p{L}\p{N}_]+[^\p{L}\p{N}_]*|[^\p{L}\p{N}_]+)$/u.exec(text.slice(0, cursor))?.index ?? 0
}

function wordAfter({ text, cursor }: Editor): number {
  const [word = ''] = /^[^\p{L}\p{N}_]*[\p{L}\p{N}_]*/u.exec(text.slice(cursor)) ?? []
  return cursor + word.length
}

function lineStart({ text, cursor }: Editor): number {
  return text.lastIndexOf('\n', cursor - 1) + 1
}

function lineEnd({ text, cursor }: Editor): number {
  const end = text.indexOf('\n', cursor)
  return end === -1 ? text.length : end
}

/** The same character in the line above or below, or the line's end. */
function inLine(editor: Editor, start: number, end: number): Editor {
  const at = graphemes(editor.text.slice(lineStart(editor), editor.cursor)).length
  const line = graphemes(editor.text.slice(start, end))
  return moved(editor, start + line.slice(0, at).join('').length)
}

function upOrOlder(editor: Editor, history: readonly string[]): Editor {
  const start = lineStart(editor)
  if (start > 0) return inLine(editor, editor.text.lastIndexOf('\n', start - 2) + 1, start - 1)
  const entry = (editor.entry ?? -1) + 1
  const text = history[entry]
  if (text === undefined) return editor
  return { ...editor, text, cursor: text.length, entry, draft: editor.draft ?? editor.text }
}

function downOrNewer(editor: Editor, history: readonly string[]): Editor {
  const end = lineEnd(editor)
  if (end < editor.text.length) {
    const next = editor.text.indexOf('\n', end + 1)
    return inLine(editor, end + 1, next === -1 ? editor.text.length : next)
  }
  if (editor.entry === undefined) return editor
  const { entry, draft = '', killed: last } = editor
  const kept = last === undefined ? {} : { killed: last }
  if (entry === 0) return { ...kept, text: draft, cursor: draft.length }
  const text = history[entry - 1] ?? ''
  return { ...kept, text, cursor: text.length, entry: entry - 1, draft }
}

/** The one word that begins so, or as much as all of them have in common. */
function completed(editor: Editor, completions: readonly string[]): Editor {
  const { text, cursor } = editor
  if (cursor !== text.length || text === '' || /\s/.test(text)) return editor
  const [first, ...others] = completions.filter((each) => each.startsWith(text))
  if (first === undefined) return editor
  if (others.length === 0) return insert(editor, `${first.slice(text.length)} `)
  let end = text.length
  while (others.every((each) => each[end] === first[end]) && end < first.length) end += 1
  return insert(editor, first.slice(text.length, end))
}

/** Entries that hold the query, the newest first, each once. */
export function found(history: readonly string[], query: string): string[] {
  return query === '' ? [] : [...new Set(history)].filter((entry) => entry.toLowerCase().includes(query.toLowerCase()))
}

function searching(editor: Editor, search: NonNullable<Editor['search']>, key: Key, around: Surroundings): Step {
  const { search: _, ...rest } = editor
  const again = (query: string, skip = 0): Step => ({ editor: { ...editor, search: { query, skip } } })
  const hits = found(around.history, search.query)
  if ('text' in key) return again(search.query + harmless(key.text))
  if (key.name === 'backspace') return again(graphemes(search.query).slice(0, -1).join(''))
  if (key.name === 'search') return again(search.query, Math.min(search.skip + 1, Math.max(0, hits.length - 1)))
  if (key.name === 'escape' || key.name === 'interrupt') return { editor: rest }
  const hit = hits[search.skip]
  const taken = hit === undefined ? rest : { ...rest, text: hit, cursor: hit.length }
  return key.name === 'enter' ? { editor: taken } : press(taken, key, around)
}
