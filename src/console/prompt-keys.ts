/** What a terminal sends, as keys: characters, what is pasted, and the sequences that terminals have for the others. Pure. */

export type KeyName =
  | 'enter'
  | 'newline'
  | 'escape'
  | 'tab'
  | 'backspace'
  | 'delete'
  | 'left'
  | 'right'
  | 'up'
  | 'down'
  | 'word-left'
  | 'word-right'
  | 'home'
  | 'end'
  | 'kill-line'
  | 'kill-back'
  | 'kill-word'
  | 'yank'
  | 'search'
  | 'clear'
  | 'interrupt'
  | 'end-of-input'
  | 'suspend'
  | 'other'

export type Key = { readonly name: KeyName } | { readonly name: 'text' | 'paste'; readonly text: string }

const controls: Readonly<Record<string, KeyName>> = {
  '\x01': 'home',
  '\x02': 'left',
  '\x03': 'interrupt',
  '\x04': 'end-of-input',
  '\x05': 'end',
  '\x06': 'right',
  '\x08': 'backspace',
  '\x09': 'tab',
  '\x0a': 'newline',
  '\x0b': 'kill-line',
  '\x0c': 'clear',
  '\x0d': 'enter',
  '\x0e': 'down',
  '\x10': 'up',
  '\x12': 'search',
  '\x15': 'kill-back',
  '\x17': 'kill-word',
  '\x19': 'yank',
  '\x1a': 'suspend',
  '\x7f': 'backspace',
}

/** Behind an Escape: of xterm and its relatives, of rxvt and of the kitty protocol; Alt is an Escape before a key. */
const sequences: Readonly<Record<string, KeyName>> = {
  '[A': 'up',
  OA: 'up',
  '[B': 'down',
  OB: 'down',
  '[C': 'right',
  OC: 'right',
  '[D': 'left',
  OD: 'left',
  '[H': 'home',
  OH: 'home',
  '[1~': 'home',
  '[7~': 'home',
  '[F': 'end',
  OF: 'end',
  '[4~': 'end',
  '[8~': 'end',
  '[3~': 'delete',
  '[1;5C': 'word-right',
  '[1;3C': 'word-right',
  '[1;5D': 'word-left',
  '[1;3D': 'word-left',
  '[13;2u': 'newline',
  '[13;3u': 'newline',
  '[27;2;13~': 'newline',
  '[27;3;13~': 'newline',
  '[13u': 'enter',
  '[27u': 'escape',
  '\r': 'newline',
  '\n': 'newline',
  b: 'word-left',
  f: 'word-right',
  '\x7f': 'kill-word',
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences
const complete = /^\x1b(?:\[[0-?]*[ -/]*[@-~]|O[@-~]|[^[O])/
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences
const begun = /^\x1b(?:\[[0-?]*[ -/]*|O)?$/
const [pasteBegin, pasteEnd] = ['\x1b[200~', '\x1b[201~']

export class Keys {
  private waiting = ''

  /** The keys of what has come; a sequence of which only a part is there waits for the rest, or for `flush`. */
  add(chunk: string): Key[] {
    this.waiting += chunk
    const keys: Key[] = []
    for (let key = this.next(); key !== undefined; key = this.next()) keys.push(key)
    return joined(keys)
  }

  /** Whether something waits that is a key by itself if nothing follows soon: an Escape. */
  get isWaiting(): boolean {
    return this.waiting !== '' && !this.waiting.startsWith(pasteBegin)
  }

  /** Nothing has followed. */
  flush(): Key[] {
    const isEscape = this.waiting === '\x1b'
    this.waiting = ''
    return [{ name: isEscape ? 'escape' : 'other' }]
  }

  private next(): Key | undefined {
    const { waiting } = this
    if (waiting === '') return undefined
    if (waiting.startsWith(pasteBegin)) return this.paste()
    if (!waiting.startsWith('\x1b')) return this.character()
    const [sequence] = complete.exec(waiting) ?? []
    if (sequence !== undefined) {
      this.waiting = waiting.slice(sequence.length)
      return { name: sequences[sequence.slice(1)] ?? 'other' }
    }
    if (begun.test(waiting)) return undefined
    this.waiting = waiting.slice(1)
    return { name: 'escape' }
  }

  private paste(): Key | undefined {
    const end = this.waiting.indexOf(pasteEnd)
    if (end === -1) return undefined
    const text = this.waiting.slice(pasteBegin.length, end)
    this.waiting = this.waiting.slice(end + pasteEnd.length)
    return { name: 'paste', text: text.replaceAll(/\r\n?/g, '\n') }
  }

  private character(): Key {
    const [character = ''] = this.waiting
    this.waiting = this.waiting.slice(character.length)
    const control = controls[character]
    if (control !== undefined) return { name: control }
    return character < ' ' ? { name: 'other' } : { name: 'text', text: character }
  }
}

/** Characters that came together stay together, so that an emoji of several is one. */
function joined(keys: readonly Key[]): Key[] {
  const all: Key[] = []
  for (const key of keys) {
    const last = all.at(-1)
    if (key.name === 'text' && last?.name === 'text') all[all.length - 1] = { name: 'text', text: last.text + key.text }
    else all.push(key)
  }
  return all
}
