/** What may be kept of a tool's input or response: its size, a one-line summary, and its fields cut and masked. */
import { createPreview } from './preview.ts'
import { isSecretName, redactedSecret } from './redact.ts'

export interface Summary {
  /** The one field that says most (a command, a path, a query), else the whole as JSON; masked and cut. */
  readonly text: string
  /** UTF-8 size of the value: of a string itself, of anything else as JSON. */
  readonly bytes: number
  /** Whether anything was cut: a field, or fields beyond the first `maxFields`. */
  readonly truncated: boolean
  readonly fields: Readonly<Record<string, string | number | boolean>>
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

export function summarize(value: unknown, maxChars: number): Summary {
  if (typeof value === 'string') {
    const preview = createPreview(value, maxChars)
    return { ...preview, fields: {} }
  }
  const json = JSON.stringify(value) ?? ''
  const entries = isRecord(value) ? Object.entries(value) : []
  const fields: Record<string, string | number | boolean> = {}
  let truncated = entries.length > maxFields
  for (const [name, field] of entries.slice(0, maxFields)) {
    if (field === null || field === undefined) continue
    const key = createPreview(name, maxNameChars).text
    if (typeof field === 'number' || typeof field === 'boolean') {
      fields[key] = field
      continue
    }
    const value = typeof field === 'string' ? field : JSON.stringify(field)
    const preview = createPreview(isSecretName(name) ? redactedSecret : value, maxChars)
    truncated ||= preview.truncated
    if (maxChars > 0) fields[key] = preview.text
  }
  const telling = tellingFields.map((key) => fields[key]).find((field) => typeof field === 'string')
  const text = typeof telling === 'string' ? telling : createPreview(json, maxChars).text
  return { text, bytes: Buffer.byteLength(json), truncated, fields }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
