/** What is kept of what comes in: everything masked, content cut to what a rule lets pass, both counted. */
import type { AttributeName } from './attributes.ts'
import { type ContentRule, callLimitOf, defaultContent, limitOf, messageLimitOf } from './content.ts'
import { createPreview, type Preview } from './preview.ts'
import { createRedactor, defaultRedaction, type Redactor } from './redact.ts'
import { isRecord, type Summary, summarize } from './summary.ts'

/** What was done to the texts that were kept. */
export interface Tally {
  /** Texts that were cut or left out. */
  readonly cut: number
  /** Secrets by kind. A text that is kept twice counts twice. */
  readonly masked: Readonly<Record<string, number>>
}

export interface Keeper {
  /** Whether messages are kept: then texts that these are made of are kept for them too, each once, where a transcript tells it. */
  readonly keepsMessages: boolean
  /** Whether anything of that attribute is kept. */
  keeps(attribute: AttributeName): boolean
  /** Of somebody's words: masked, cut to what the rule gives that attribute, or messages, where `of` says so. */
  preview(attribute: AttributeName, text: string, of?: 'message'): Preview
  /** Of a structure: every field masked and cut. */
  summarize(kind: SummaryKind, value: unknown, of?: 'message'): Summary
  /** Of a name, an id or a place: masked, and cut where it is too long for one. */
  mask(text: string): string
  /** As `mask`; where that changes it, this process can have the path itself from `pathOf`. */
  maskPath(path: string): string
  pathOf(masked: string): string
  /** What was done since the last call; undefined where that was nothing. */
  takeTally(): Tally | undefined
}

export type SummaryKind = 'tool.input' | 'tool.response' | 'hook.fields'

/** No name or path is longer; what is, is something else. */
const maxNameChars = 4096

export function createKeeper({
  rule = defaultContent,
  redactor = createRedactor(defaultRedaction),
}: {
  readonly rule?: ContentRule
  readonly redactor?: Redactor
}): Keeper {
  const paths = new Map<string, string>()
  let cut = 0
  let masked: Record<string, number> = {}
  const redact = (text: string): string =>
    redactor.redact(text, (kind) => {
      masked[kind] = (masked[kind] ?? 0) + 1
    })
  const hide = (placeholder: string) => (): string => {
    masked.secret = (masked.secret ?? 0) + 1
    return placeholder
  }
  const { namedSecret } = redactor
  const count = <T extends { readonly truncated: boolean }>(kept: T): T => {
    if (kept.truncated) cut += 1
    return kept
  }
  const mask = (text: string): string =>
    isPlainId(text) ? text : count(createPreview(text, maxNameChars, redact)).text
  const messageChars = messageLimitOf(rule)
  return {
    keepsMessages: messageChars > 0,
    keeps: (attribute) => limitOf(rule, attribute) > 0,
    preview: (attribute, text, of) =>
      count(createPreview(text, Math.max(limitOf(rule, attribute), of === 'message' ? messageChars : 0), redact)),
    summarize(kind, value, of) {
      const least = kind === 'hook.fields' ? 0 : Math.max(callLimitOf(rule), of === 'message' ? messageChars : 0)
      return count(
        summarize(value, {
          mask: redact,
          hideSecret: namedSecret === undefined ? undefined : hide(namedSecret),
          // Of a structure the text is a line of its own, beside its fields.
          textChars: Math.max(limitOf(rule, summaryNames[kind]), hasFields(value) ? 0 : least),
          fieldChars: (field) => Math.max(limitOf(rule, kind === 'hook.fields' ? kind : `${kind}.${field}`), least),
        }),
      )
    },
    mask,
    maskPath(path) {
      const shown = mask(path)
      if (shown !== path) paths.set(shown, path)
      return shown
    },
    pathOf: (shown) => paths.get(shown) ?? shown,
    takeTally() {
      const isNothing = cut === 0 && Object.keys(masked).length === 0
      const tally = isNothing ? undefined : { cut, masked }
      cut = 0
      masked = {}
      return tally
    },
  }
}

/** Under which name a summary's text leaves. */
const summaryNames: Readonly<Record<SummaryKind, string>> = {
  'tool.input': 'input.summary',
  'tool.response': 'tool.response.text',
  'hook.fields': 'hook.fields',
}

function hasFields(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length > 0
}

/** A UUID, as most ids are: nothing to look for in it. */
function isPlainId(text: string): boolean {
  return text.length === 36 && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}
