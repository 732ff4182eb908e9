/** Where a session runs and Claude Code keeps its transcript, if that is this machine: not everything that is sent says so. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readHead } from '../claude/sessions.ts'
import { claudeFolder } from '../claude/settings-places.ts'
import type { Environment } from '../config/config.ts'

export interface SessionPlace {
  /** The path of the file. */
  readonly transcript: string
  readonly cwd?: string
}

/** Undefined where there is no transcript of it. */
export function findPlace(env: Environment, sessionId: string): SessionPlace | undefined {
  const home = claudeFolder(env)
  // An id is what somebody sent.
  if (home === undefined || !/^[\w-]+$/.test(sessionId)) return undefined
  const projects = join(home, 'projects')
  try {
    const paths = readdirSync(projects).map((folder) => join(projects, folder, `${sessionId}.jsonl`))
    const transcript = paths.find((path) => existsSync(path))
    if (transcript === undefined) return undefined
    const cwd = cwdIn(readHead(transcript))
    return cwd === undefined ? { transcript } : { transcript, cwd }
  } catch {
    return undefined
  }
}

/** By its lines: inside of texts the same word would be escaped. */
function cwdIn(lines: string): string | undefined {
  const written = /[{,]"cwd":("(?:[^"\\]|\\.)*")/.exec(lines)?.[1]
  return written === undefined ? undefined : String(JSON.parse(written))
}
