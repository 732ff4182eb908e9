/** The user's settings file. Apart from config.ts, because most users have none and `node:fs` takes its time to load. */

import { readFileSync } from 'node:fs'
import { describeError, Failure } from '../base/errors.ts'
import { isObject } from './kinds.ts'
import type { UserFile } from './values.ts'

/** Reads JSON with comments. `undefined` when there is no such file; a broken one comes back with its problem. */
export function readConfigFile(path: string): UserFile | undefined {
  const broken = (message: string, hint: string): UserFile => ({
    path,
    content: {},
    problems: [new Failure('config', `${path} ${message}`, hint)],
  })
  try {
    const content: unknown = Bun.JSONC.parse(readFileSync(path, 'utf8'))
    if (isObject(content)) return { path, content, problems: [] }
    return broken('is not a JSON object', 'write settings as {"export": {"endpoint": "http://localhost:4317"}}')
  } catch (error) {
    if (isMissing(error)) return undefined
    const isSyntax = error instanceof SyntaxError
    return broken(
      `cannot be read: ${describeError(error)}`,
      isSyntax ? 'mend the JSON; comments and trailing commas are allowed' : 'make it readable, or remove it',
    )
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
