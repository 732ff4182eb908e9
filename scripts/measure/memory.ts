/** Memory of the wrapper. */
import { createClaudeHome } from '../../test/kit/claude-home.ts'
import { startMessagesApi, text, tools, toolUse } from '../../test/kit/messages-api.ts'
import { startOtlpSink } from '../../test/kit/otlp-sink.ts'
import { until } from '../../test/kit/until.ts'
import { BINARY } from '../build.ts'
import { type Measure, PRINT, STREAM } from './kit.ts'

const IDLE_MS = 2000

/** Resident and proportional memory of the wrapper while claude waits for the next prompt. */
export async function measureMemory(): Promise<Measure[]> {
  if (process.platform !== 'linux') return []
  const [home, api, sink] = await Promise.all([
    createClaudeHome(),
    startMessagesApi({ main: [tools(toolUse('Bash', { command: 'true' })), text('Done.')] }),
    startOtlpSink(),
  ])
  const child = Bun.spawn([BINARY, ...PRINT, '--input-format', 'stream-json', ...STREAM], {
    cwd: home.project,
    env: home.environment(api.url, sink.environment()),
    stdin: 'pipe',
    stdout: 'ignore',
    stderr: 'ignore',
  })
  try {
    child.stdin.write(`${JSON.stringify({ type: 'user', message: { role: 'user', content: 'Go' } })}\n`)
    child.stdin.flush()
    await until('the turn to end', () => sink.spans().some(({ name }) => name === 'execute_tool Bash'))
    await Bun.sleep(IDLE_MS)
    const memory = await Bun.file(`/proc/${child.pid}/smaps_rollup`).text()
    const from = `${IDLE_MS / 1000} s after a turn with a tool call, everything sent`
    return [
      { name: 'rss', title: 'Idle wrapper, resident (RSS)', value: mebibytes(memory, 'Rss'), unit: 'MiB', from },
      {
        name: 'pss',
        title: 'Idle wrapper, its share of shared pages (PSS)',
        value: mebibytes(memory, 'Pss'),
        unit: 'MiB',
        from,
      },
    ]
  } finally {
    child.stdin.end()
    await child.exited
    await Promise.all([api.close(), sink.close()])
    await home.remove()
  }
}

function mebibytes(rollup: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? Number.NaN) / 1024
}
