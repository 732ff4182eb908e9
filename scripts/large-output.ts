/** What one large tool output costs: from the payload's bytes, as they lie in the spool, to what is kept of them. */
import { parseHookPayload } from '../src/claude/events.ts'
import { createKeeper } from '../src/telemetry/keeper.ts'

/** Text with line breaks, quotes and a secret here and there, plain or with letters beyond Latin-1. */
const lines = {
  plain: 'GET /api/v1/tokens 200 "quoted" password=hunter2 0123456789 abcdefghijklmnop\n',
  unicode: 'Größe – ☃ “quoted” password=hunter2 0123456789 abcdefghijklmnop\n',
} as const

/** Milliseconds that the best of `runs` takes for an output of so many bytes. */
export function measureLargeOutput(bytes: number, kind: keyof typeof lines = 'plain', runs = 5): number {
  const line = lines[kind]
  const stdout = line.repeat(Math.ceil(bytes / Buffer.byteLength(line)))
  const payload = {
    session_id: '5e551011-0000-4000-8000-000000001a46',
    hook_event_name: 'PostToolUse',
    tool_name: 'Bash',
    tool_input: { command: 'cat log' },
    tool_response: { stdout, stderr: '', interrupted: false },
  }
  const data = Buffer.from(JSON.stringify(payload))
  const keeper = createKeeper({})
  const times = Array.from({ length: runs }, () => {
    const start = performance.now()
    const text = data.toString('utf8')
    // As the pump does, to know a payload that comes twice.
    Bun.hash(text)
    const event = parseHookPayload(text, keeper)
    if ('broken' in event || event.detail.type !== 'tool-end') throw new Error('the payload was not understood')
    return performance.now() - start
  })
  return Math.min(...times)
}

if (import.meta.main) {
  for (const kind of ['plain', 'unicode'] as const) {
    console.log(`10 MB of tool output, ${kind}: ${measureLargeOutput(10_000_000, kind).toFixed(1)} ms`)
  }
}
