/** Our version, set by the build from package.json. */
declare const CLAUDE_OTEL_VERSION: string | undefined

export const version = typeof CLAUDE_OTEL_VERSION === 'string' ? CLAUDE_OTEL_VERSION : '0.0.0-source'
