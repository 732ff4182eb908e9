/** What other runtimes find in the place of the library: its names, and why they do nothing. */
export const [Failure, parseClaudeArgs, renderClaudeArgs, runAgentWithTelemetry] = []

throw new Error('claude-otel can be imported by Bun alone (https://bun.sh): run this program with bun')
