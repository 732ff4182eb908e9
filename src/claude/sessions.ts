/** Sessions of a folder that Claude Code has kept, from the beginnings of their transcripts. */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { claudeFolder, projectFolderName } from './settings-places.ts'
import { parseLine } from './transcript-lines.ts'

export interface KeptSession {
  readonly id: string
  /** What it began with. */
  readonly prompt: string
  /** When it was written to last, in milliseconds since 1970. */
  readonly atUnixMs: number
}

type Environment = Readonly<Record<string, string | undefined>>

/** What is asked of a transcript's beginning stands in it. */
const headBytes = 1 << 16

/** Those with a prompt, the newest first, at most so many; none where nothing can be read. */
export function listSessions(env: Environment, cwd: string, limit: number): KeptSession[] {
  const home = claudeFolder(env)
  if (home === undefined) return []
  const folder = join(home, 'projects', projectFolderName(cwd))
  const files = transcripts(folder).sort((a, b) => b.atUnixMs - a.atUnixMs)
  const found: KeptSession[] = []
  for (const { id, atUnixMs } of files) {
    const prompt = firstPrompt(join(folder, `${id}.jsonl`))
    if (prompt !== undefined) found.push({ id, prompt, atUnixMs })
    if (found.length === limit) break
  }
  return found
}

function transcripts(folder: string): { id: string; atUnixMs: number }[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^[0-9a-f-]{36}\.jsonl$/.test(name))
      .map((name) => ({ id: name.slice(0, -'.jsonl'.length), atUnixMs: statSync(join(folder, name)).mtimeMs }))
  } catch {
    return []
  }
}

/** What a person wrote, not what a command or a hook put in. */
function firstPrompt(path: string): string | undefined {
  for (const text of readHead(path).split('\n')) {
    const line = parseLine(text)
    if (line?.type !== 'user' || line.isMeta === true || line.isSidechain === true) continue
    const { message } = line
    const content =
      typeof message === 'object' && message !== null && 'content' in message ? message.content : undefined
    const prompt = typeof content === 'string' ? content : firstText(content)
    if (prompt !== undefined && prompt.trim() !== '' && !prompt.startsWith('<')) return prompt
  }
  return undefined
}

function firstText(content: unknown): string | undefined {
  if (!Array.isArray(content)) return undefined
  const [block] = content
  return typeof block?.text === 'string' ? block.text : undefined
}

/** The first lines of a transcript, which tell its folder and its prompt; nothing where it cannot be read. */
export function readHead(path: string): string {
  try {
    const file = openSync(path, 'r')
    try {
      const bytes = Buffer.alloc(headBytes)
      return bytes.toString('utf8', 0, readSync(file, bytes, 0, headBytes, 0))
    } finally {
      closeSync(file)
    }
  } catch {
    return ''
  }
}
