/** What is kept of what comes in: everything masked, content cut to what a rule lets pass, both counted. */
import type { AttributeName } from './attributes.ts'
import { type ContentRule, defaultContent, limitOf } from './content.ts'
import { createPreview, type Preview } from './preview.ts'
import { createRedactor, defaultRedaction, type Redactor } from './redact.ts'
import { type Summary, summarize } from './summary.ts'

/** What was done to the texts that were kept. */
export interface Tally {
  /** Texts that were cut or left out. */
  readonly cut: number
  /** Secrets by kind. A text that is kept twice counts twice. */
  readonly masked: Readonly<Record<string, number>>
}

export interface Keeper {
  /** Of somebody's words: masked, cut to what the rule gives that attribute. */
  preview(attribute: AttributeName, text: string): Preview
  /** Of a structure: every field masked and cut. */
  summarize(kind: 'tool.input' | 'tool.response' | 'hook.fields', value: unknown): Summary
  /** Of a name, an id or a place: masked, and cut where it is too long for one. */
  mask(text: string): string
  /** As `mask`; where that changes it, this process can have the path itself from `pathOf`. */
  maskPath(path: string): string
  pathOf(masked: string): string
  /** What was done since the last call; undefined where that was nothing. */
  takeTally(): Tally | undefined
}

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
  return {
    preview: (attribute, text) => count(createPreview(text, limitOf(rule, attribute), redact)),
    summarize: (kind, value) =>
      count(
        summarize(value, {
          mask: redact,
          hideSecret: namedSecret === undefined ? undefined : hide(namedSecret),
          textChars: limitOf(rule, summaryNames[kind]),
          fieldChars: (field) => limitOf(rule, kind === 'hook.fields' ? kind : `${kind}.${field}`),
        }),
      ),
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
const summaryNames = {
  'tool.input': 'input.summary',
  'tool.response': 'tool.response.text',
  'hook.fields': 'hook.fields',
} as const

/** A UUID, as most ids are: nothing to look for in it. */
function isPlainId(text: string): boolean {
  return text.length === 36 && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}
