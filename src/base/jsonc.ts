/**
 * JSON that people keep by hand, with or without comments: read with the place of a mistake, and changed where it has to be, with
 * every other character left as it is. (The parser's own editor lays lines out anew and drops comments beside what it takes out.)
 */
import {
  findNodeAtLocation,
  type JSONPath,
  type Node,
  type ParseError,
  parse,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser/lib/esm/main.js'

export type { JSONPath } from 'jsonc-parser/lib/esm/main.js'

export type ParsedJson = { readonly value: unknown } | { readonly problem: string }

const lenient = { allowTrailingComma: true }
const byteOrderMark = '\uFEFF'

/** Takes comments and trailing commas. `problem` says what is wrong and in which line. An empty text is an empty object. */
export function parseJsonc(text: string): ParsedJson {
  const plain = text.replace(byteOrderMark, '')
  if (plain.trim() === '') return { value: {} }
  const errors: ParseError[] = []
  const value: unknown = parse(plain, errors, lenient)
  const [first] = errors
  if (first === undefined) return { value }
  const line = plain.slice(0, first.offset).split('\n').length
  const words = printParseErrorCode(first.error).replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`)
  return { problem: `line ${line}: ${words.toLowerCase()}` }
}

/** Whether programs that know no comments and trailing commas can read it too. */
export function isPlainJson(text: string): boolean {
  try {
    JSON.parse(text.replace(byteOrderMark, '').trim() || '{}')
    return true
  } catch {
    return false
  }
}

/**
 * The text, which must be sound, with the value at the path. What is missing above it is made, an element just behind the end of an
 * array is added; `undefined` takes the property or element out.
 */
export function setJson(text: string, path: JSONPath, value: unknown): string {
  return new Editor(text.trim() === '' ? '{}\n' : text).set(path, value)
}

/** What to put in the place of a part of the text. */
interface Edit {
  readonly from: number
  readonly to: number
  readonly text: string
}

class Editor {
  private readonly root: Node | undefined
  /** As the text is written already. */
  private readonly unit: string
  private readonly eol: string

  constructor(private readonly text: string) {
    this.root = parseTree(text, [], lenient)
    this.unit = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  '
    this.eol = /\r?\n/.exec(text)?.[0] ?? '\n'
  }

  set(path: JSONPath, value: unknown): string {
    const node = this.find(path)
    if (value === undefined) return node === undefined ? this.text : this.apply(this.removal(node))
    if (node === undefined) return this.insert(path, value)
    const isOneLine = node.children !== undefined && !this.text.slice(node.offset, endOf(node)).includes('\n')
    const text = this.render(value, isOneLine ? undefined : this.indentAt(node.offset))
    return this.apply([{ from: node.offset, to: endOf(node), text }])
  }

  private find(path: JSONPath): Node | undefined {
    return this.root && findNodeAtLocation(this.root, [...path])
  }

  private insert(path: JSONPath, value: unknown): string {
    const depth = path.findLastIndex((_, at) => this.find(path.slice(0, at)) !== undefined)
    const container = this.find(path.slice(0, depth))
    const nested = path.slice(depth + 1).reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
    if (container === undefined) return this.text
    const key = container.type === 'object' ? `${JSON.stringify(path[depth])}: ` : ''
    return this.apply(this.insertion(container, (indent) => key + this.render(nested, indent)))
  }

  /** At the end of an object or array, in the manner of what is before it. */
  private insertion(container: Node, render: (indent: string | undefined) => string): Edit[] {
    const close = endOf(container) - 1
    const last = container.children?.at(-1)
    const from = last === undefined ? container.offset + 1 : endOf(last)
    const between = this.text.slice(from, close)
    const at = from + between.trimEnd().length
    const comma = last === undefined || this.commaBehind(from) !== undefined ? [] : [{ from, to: from, text: ',' }]
    if (last !== undefined && !this.beginsLine(last.offset) && !between.includes('//')) {
      return [...comma, { from: at, to: at, text: ` ${render(undefined)}` }]
    }
    const outer = this.indentAt(container.offset)
    const indent = last === undefined ? outer + this.unit : this.indentAt(last.offset)
    const tail = this.text.slice(at, close).includes('\n') ? [] : [{ from: at, to: close, text: this.eol + outer }]
    return [...comma, { from: at, to: at, text: this.eol + indent + render(indent) }, ...tail]
  }

  /** With its comma, and with its line where it has one of its own. Comments stay. */
  private removal(value: Node): Edit[] {
    const node = value.parent?.type === 'property' ? value.parent : value
    const [from, to] = [node.offset, endOf(node)]
    const { parent } = node
    const siblings = parent?.children ?? []
    const before = siblings[siblings.indexOf(node) - 1]
    const behind = this.commaBehind(to)
    const isNext = behind !== undefined && this.text.slice(to, behind).trim() === ''
    const end = isNext ? behind + 1 : to
    if (parent !== undefined && siblings.length === 1) {
      const inside = this.text.slice(parent.offset + 1, from) + this.text.slice(end, endOf(parent) - 1)
      if (inside.trim() === '') return [{ from: parent.offset + 1, to: endOf(parent) - 1, text: '' }]
    }
    const comma = behind ?? (before === undefined ? undefined : this.commaBehind(endOf(before)))
    const apart = isNext || comma === undefined ? [] : [{ from: comma, to: comma + 1, text: '' }]
    return [...apart, this.span(from, end)]
  }

  /** The part, with the white space that was there for it alone. */
  private span(from: number, to: number): Edit {
    const leading = /(?:(?:\r?\n)?[ \t]*)$/.exec(this.text.slice(0, from))?.[0] ?? ''
    const ownsLineEnd = /^[ \t]*(?:\r?\n|$)/.test(this.text.slice(to))
    if (ownsLineEnd || !leading.includes('\n')) return { from: from - leading.length, to, text: '' }
    const trailing = /^[ \t]*/.exec(this.text.slice(to))?.[0] ?? ''
    return { from, to: to + trailing.length, text: '' }
  }

  /** Where the comma stands that follows, with nothing but comments before it. */
  private commaBehind(offset: number): number | undefined {
    const found = /^(?:\s|\/\/.*|\/\*[\s\S]*?\*\/)*,/.exec(this.text.slice(offset))
    return found === null ? undefined : offset + found[0].length - 1
  }

  private beginsLine(offset: number): boolean {
    return /(?:^|\n)[ \t]*$/.test(this.text.slice(0, offset))
  }

  private indentAt(offset: number): string {
    const line = this.text.slice(this.text.lastIndexOf('\n', offset - 1) + 1, offset)
    return /^[ \t]*/.exec(line)?.[0] ?? ''
  }

  /** On one line where there is no indentation to go on from. */
  private render(value: unknown, indent: string | undefined): string {
    if (indent === undefined) return JSON.stringify(value)
    return JSON.stringify(value, undefined, this.unit).replaceAll('\n', this.eol + indent)
  }

  private apply(edits: readonly Edit[]): string {
    return edits
      .toSorted((a, b) => a.from - b.from)
      .reduceRight((text, edit) => text.slice(0, edit.from) + edit.text + text.slice(edit.to), this.text)
  }
}

function endOf({ offset, length }: Node): number {
  return offset + length
}
