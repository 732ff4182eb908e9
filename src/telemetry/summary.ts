/** What may be kept of a tool's input or response: its size, a one-line summary, and its fields cut and masked. */
import { type Json, parseStructure } from './messages.ts'
import { createPreview } from './preview.ts'
import { isSecretName } from './secret-values.ts'

export interface Summary {
  /** The one field that says most (a command, a path, a query), else the whole as JSON; masked and cut. */
  readonly text: string
  /** UTF-8 size of the value: of a string itself, of anything else as JSON. */
  readonly bytes: number
  /** Whether anything was cut: a field, or fields beyond the first `maxFields`. */
  readonly truncated: boolean
  readonly fields: Readonly<Record<string, string | number | boolean>>
  /** The fields of which the text is JSON: objects and lists; absent where there are none. */
  readonly json?: readonly string[]
}

export interface SummaryRule {
  mask(text: string): string
  /** What stands for the value of a field whose name says that it is a secret; without it such values are kept. */
  readonly hideSecret: (() => string) | undefined
  readonly textChars: number
  fieldChars(field: string): number
}

const maxFields = 32
/** Names of fields become names of attributes. */
const maxNameChars = 64

/** Fields of Claude Code's tools that name what a call is about, the most telling first. */
const tellingFields = [
  'command',
  'file_path',
  'notebook_path',
  'pattern',
  'query',
  'url',
  'path',
  'skill',
  'description',
]

export function summarize(value: unknown, rule: SummaryRule): Summary {
  if (typeof value === 'string') return { ...createPreview(value, rule.textChars, rule.mask), fields: {} }
  const record = isRecord(value) ? value : {}
  const names = Object.keys(record)
  const fields: Record<string, string | number | boolean> = {}
  const json: string[] = []
  let truncated = names.length > maxFields
  for (const name of names.slice(0, maxFields)) {
    const field = record[name]
    if (field === null || field === undefined) continue
    const key = createPreview(name, maxNameChars, rule.mask).text
    const secret = isSecretField(record, name, field) ? rule.hideSecret?.() : undefined
    const kept = keepField(secret ?? field, rule.fieldChars(key), rule)
    truncated ||= kept.truncated
    if (kept.value !== '' || field === '') fields[key] = kept.value
    if (secret === undefined && typeof field === 'object') json.push(key)
  }
  const kept = { text: summaryText(value, rule), bytes: jsonSize(value), truncated, fields }
  return json.length === 0 ? kept : { ...kept, json }
}

/** What is kept of a value, as it was: its fields, or its text where it has none; JSON that was cut stays a text. */
export function restore({ text, fields, json = [] }: Summary): Json {
  const names = Object.keys(fields)
  if (names.length === 0) return parseStructure(text) ?? text
  return Object.fromEntries(names.map((name) => [name, restoreField(fields[name], json.includes(name))]))
}

function restoreField(field: string | number | boolean | undefined, isJson: boolean): Json {
  if (typeof field !== 'string') return field ?? null
  return isJson ? (parseStructure(field) ?? field) : field
}

interface KeptField {
  readonly value: string | number | boolean
  readonly truncated: boolean
}

/** Numbers and switches as they are, text cut, the rest as JSON. */
function keepField(field: unknown, maxChars: number, rule: SummaryRule): KeptField {
  if (typeof field === 'number' || typeof field === 'boolean') return { value: field, truncated: false }
  const text = typeof field === 'string' ? field : toJson(field, maxChars, rule)
  const { text: value, truncated } = createPreview(text, maxChars, rule.mask)
  return { value, truncated }
}

function summaryText(value: unknown, rule: SummaryRule): string {
  if (value === undefined) return ''
  const words = isRecord(value)
    ? tellingFields.map((name) => value[name]).find((word) => typeof word === 'string')
    : undefined
  const text = typeof words === 'string' ? words : toJson(value, rule.textChars, rule)
  return createPreview(text, rule.textChars, rule.mask).text
}

/** More than masking the whole takes away again from what was masked field by field. */
const jsonMarginChars = 1024
const maxDepth = 32

/**
 * The beginning of a value's JSON, enough for `maxChars` of it. Its texts are masked one by one, as they are: in JSON a line
 * break or a quote inside of them would hide where a secret ends.
 */
function toJson(value: unknown, maxChars: number, rule: SummaryRule): string {
  if (maxChars === 0) return '…'
  let left = maxChars + jsonMarginChars
  const copyText = (text: string): string => {
    const kept = createPreview(text, Math.min(maxChars, Math.max(left, 1)), rule.mask).text
    left -= kept.length
    return kept
  }
  const copy = (each: unknown, depth: number): unknown => {
    left -= 2
    if (typeof each === 'string') return copyText(each)
    if (typeof each !== 'object' || each === null) return each
    if (depth > maxDepth) return '…'
    if (Array.isArray(each)) return copyWhile(each, (item) => copy(item, depth + 1))
    const record = each as Readonly<Record<string, unknown>>
    const pairs = copyWhile(Object.keys(record), (name): [string, unknown] => {
      const field = record[name]
      const secret = isSecretField(record, name, field) ? rule.hideSecret?.() : undefined
      return [copyText(name), secret ?? copy(field, depth + 1)]
    })
    return Object.fromEntries(pairs)
  }
  const copyWhile = <T, R>(items: readonly T[], one: (item: T) => R): R[] => {
    const copied: R[] = []
    for (const item of items) {
      if (left <= 0) break
      copied.push(one(item))
    }
    return copied
  }
  return JSON.stringify(copy(value, 0)) ?? ''
}

/** `password: …`, or the value in `{ name: 'PASSWORD', value: … }`. */
function isSecretField(record: Readonly<Record<string, unknown>>, name: string, field: unknown): boolean {
  if (field === null || field === undefined || typeof field === 'boolean') return false
  if (isSecretName(name)) return true
  const named = record.name ?? record.key
  return name === 'value' && typeof named === 'string' && isSecretName(named)
}

function jsonSize(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '')
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
