/** Our version, from package.json, and the commit we were built from, both set by the build. */
declare const CLAUDE_OTEL_VERSION: string | undefined
declare const CLAUDE_OTEL_COMMIT: string | undefined

export const version = typeof CLAUDE_OTEL_VERSION === 'string' ? CLAUDE_OTEL_VERSION : '0.0.0-source'

/** Whether this is the program that was built: only that can start itself again, as a hub. */
export const isBuilt = typeof CLAUDE_OTEL_VERSION === 'string'

const commit = typeof CLAUDE_OTEL_COMMIT === 'string' ? CLAUDE_OTEL_COMMIT : ''

/** What `--version` says: the version, and in brackets the commit where it is known. */
export const versionLine = `claude-otel ${version}${commit === '' ? '' : ` (${commit})`}`
