/** What is said of a tool call in a line: `Tool - key=value, …` when it begins, `Tool → summary` when it has ended. Pure. */
import { cutEnd, cutStart, graphemes, oneLine } from './text.ts'
import type { Theme } from './theme.ts'

export interface Words {
  /** Hides secrets; before anything is cut. */
  readonly mask: (text: string) => string
  /** Paths below it are told without it. */
  readonly cwd: string
  readonly theme: Theme
}

const maxParameters = 3
const maxTitle = 100
const maxValue = 30
/** The first parameter says most. */
const maxFirstValue = 60
/** Longer texts are masked only as far as they could be shown. */
const masked = 4000

/** The tool's name as a person knows it: `create_issue (github)` of `mcp__github__create_issue`. */
export function toolName(name: string): string {
  const [, server, tool] = /^mcp__(.+?)__(.+)$/.exec(oneLine(name)) ?? []
  return tool === undefined ? oneLine(name) : `${tool} (${server})`
}

/** `Bash - command="npm test", description="Run it"`: three parameters and 100 columns at most. */
export function toolTitle(name: string, input: unknown, words: Words): string {
  const parameters = Object.entries(isRecord(input) ? input : {}).slice(0, maxParameters)
  const told = parameters.map(([key, value], at) => {
    const shown = parameter(key, value, at === 0 ? maxFirstValue : maxValue, words)
    return `${oneLine(key)}=${shown}`
  })
  const title = told.length === 0 ? toolName(name) : `${toolName(name)} - ${told.join(', ')}`
  return cutEnd(title, maxTitle, words.theme.dots)
}

function parameter(key: string, value: unknown, columns: number, { mask, cwd, theme }: Words): string {
  if (isSecretKey(key) && typeof value === 'string') return mask(`${key}=${value}`).slice(key.length + 1)
  if (Array.isArray(value)) return `[${theme.dots}${value.length}]`
  if (isRecord(value)) return `{${theme.dots}${Object.keys(value).length}}`
  if (typeof value !== 'string') return String(value)
  const text = withoutFolder(oneLine(mask(value.slice(0, masked))), cwd)
  const cut = /path|file/i.test(key) ? cutStart(text, columns, theme.dots) : cutEnd(text, columns, theme.dots)
  return /[/\s]|^-/.test(text) || text === '' ? `"${cut}"` : cut
}

/** Such a value is known for a secret by its name alone. */
function isSecretKey(key: string): boolean {
  return /token|secret|password|api_?key/i.test(key)
}

function withoutFolder(text: string, cwd: string): string {
  return text.startsWith(`${cwd}/`) ? text.slice(cwd.length + 1) : text
}

const maxSummary = 50
const maxError = 80

/** What a result says in a few words; `value` is the tool's own structure where there is one, else what the model was given. */
export function resultSummary(value: unknown, isError: boolean, { mask, theme }: Words): string {
  const say = (text: string, columns: number) => cutEnd(oneLine(mask(text.slice(0, masked))), columns, theme.dots)
  if (isError) return say(errorText(value), maxError) || 'failed'
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) {
    const text = textOf(value)
    return text === '' ? count(value.length, 'item') : say(firstLine(text), maxSummary)
  }
  if (!isRecord(value)) return say(firstLine(String(value)), maxSummary) || 'nothing'
  return structureSummary(value, say)
}

function structureSummary(
  value: Readonly<Record<string, unknown>>,
  say: (text: string, columns: number) => string,
): string {
  const { file, stdout, stderr, numFiles, numMatches, structuredPatch, answers } = value
  if (isRecord(file) && typeof file.numLines === 'number') return count(file.numLines, 'line')
  if (typeof stdout === 'string') {
    const text = stdout.trim() === '' && typeof stderr === 'string' ? stderr : stdout
    const lines = text.trim() === '' ? 0 : text.trim().split('\n').length
    return lines > 1
      ? `${say(firstLine(text), maxSummary)} (${count(lines, 'line')})`
      : say(text, maxSummary) || 'no output'
  }
  if (Array.isArray(structuredPatch)) return patchSummary(structuredPatch)
  if (typeof numMatches === 'number' && numMatches > 0) return count(numMatches, 'match', 'matches')
  if (typeof numFiles === 'number') return count(numFiles, 'file')
  if (isRecord(answers)) return say(Object.values(answers).join(', '), maxSummary)
  const told = ['result', 'content', 'message', 'output', 'text'].map((key) => value[key])
  const text = told.map((each) => (typeof each === 'string' ? each : textOf(each))).find((each) => each !== '')
  return text === undefined ? count(Object.keys(value).length, 'field') : say(firstLine(text), maxSummary)
}

/** `+3 -1`: lines of a patch that came and went. */
function patchSummary(hunks: readonly unknown[]): string {
  const lines = hunks.flatMap((hunk) => (isRecord(hunk) && Array.isArray(hunk.lines) ? hunk.lines : []))
  const starting = (sign: string) => lines.filter((line) => String(line).startsWith(sign)).length
  return lines.length === 0 ? 'written' : `+${starting('+')} -${starting('-')}`
}

function errorText(value: unknown): string {
  const text = isRecord(value) ? [value.error, value.stderr, value.message].find((each) => each !== undefined) : value
  const told = Array.isArray(text) ? textOf(text) : String(text ?? '')
  return told.replace(/^Error:\s*/, '').replaceAll(/<\/?tool_use_error>/g, '')
}

/** The texts of content blocks. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((block) => (isRecord(block) && typeof block.text === 'string' ? block.text : ''))
    .join('\n')
    .trim()
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? ''
}

const maxDetailLines = 4
const maxDetailColumns = 300

/** The beginning of an output, line by line: the first lines and how many there are more. Empty for what a summary has said. */
export function outputLines(text: string, { mask, theme }: Words): string[] {
  const lines = mask(text.slice(0, 4 * masked))
    .split('\n')
    .map((line) => cutEnd(graphemes(oneLine(line)).length === 0 ? '' : oneLine(line), maxDetailColumns, theme.dots))
    .filter((line) => line !== '')
  if (lines.length <= 1) return []
  const more = lines.length - maxDetailLines
  return more > 0 ? [...lines.slice(0, maxDetailLines), `${theme.dots} ${count(more, 'more line')}`] : lines
}

export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? noun : plural}`
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
