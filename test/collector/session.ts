/** One session of the real claude under the compiled binary, sent to a Collector and told twice: by the model and by the Collector. */
import { claudeOtelBinary, createClaudeHome, type RunResult, run } from '../kit/claude-home.ts'
import { type Script, startMessagesApi, type Tokens, text, tools, toolUse } from '../kit/messages-api.ts'

const AGENT = 'MARKER-COUNT-LINES'

/** Parallel tools of which one fails, and a subagent with a tool of its own. */
const SCRIPT: Script = {
  main: [
    tools(
      toolUse('Bash', { command: 'echo one', description: 'Say one' }),
      toolUse('Bash', { command: 'exit 3', description: 'Fail' }),
    ),
    tools(
      toolUse('Agent', {
        description: 'Count',
        prompt: AGENT,
        subagent_type: 'general-purpose',
        run_in_background: false,
      }),
    ),
    text('Two lines.'),
  ],
  agents: {
    [AGENT]: [tools(toolUse('Bash', { command: 'wc -l README.md', description: 'Count lines' })), text('Two.')],
  },
}

/** The spans of that session, in the order of their start. */
export const TREE = `
claude.session
  invoke_agent claude-code
    chat MODEL
    execute_tool Bash tool.status=success
    execute_tool Bash tool.status=error !
    chat MODEL
    execute_tool Agent tool.status=success
      invoke_agent general-purpose
        chat MODEL
        execute_tool Bash tool.status=success
        chat MODEL
    chat MODEL
`.trim()

export interface Told {
  readonly result: RunResult
  readonly served: Tokens
  readonly requests: number
}

/** Plays the session with these exporter settings in a home of its own. */
export async function playSession(settings: Readonly<Record<string, string>>): Promise<Told> {
  const [home, api] = await Promise.all([createClaudeHome(), startMessagesApi(SCRIPT)])
  try {
    const result = await run({
      command: [claudeOtelBinary, '-p', 'Count the lines', '--permission-mode', 'bypassPermissions'],
      cwd: home.project,
      env: home.environment(api.url, settings),
    })
    if (api.surprises().length > 0) throw new Error(`not as scripted: ${api.surprises().join('\n')}\n${result.stderr}`)
    return { result, served: api.servedTotals(), requests: api.served().length }
  } finally {
    await api.close()
    await home.remove()
  }
}
