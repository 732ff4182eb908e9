/**
 * Records sessions that both sides tell of: the real claude under the compiled claude-otel, each sending to one receiver. Run it with
 * bun to make test/fixtures/both anew; `both.ts` reads what it writes.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startReceiver } from '../../src/receiver/receiver.ts'
import type { OtlpLogRecord, OtlpSpan } from '../../src/telemetry/otlp.ts'
import { claudeOtelBinary, createClaudeHome, run } from '../kit/claude-home.ts'
import { error, type Script, startMessagesApi, text, tools, toolUse } from '../kit/messages-api.ts'
import { startTerminal, type Terminal } from '../kit/terminal.ts'
import { until } from '../kit/until.ts'
import { bash, subagent, unattended } from '../sessions/words.ts'

interface Both {
  readonly spans: OtlpSpan[]
  readonly logs: OtlpLogRecord[]
}

interface Play {
  readonly script: Script
  readonly args: readonly string[]
  /** What somebody does at the terminal; none: the arguments say everything. */
  readonly act?: (terminal: Terminal) => Promise<void>
}

const plays: Readonly<Record<string, Play>> = {
  print: {
    args: ['-p', 'Go', ...unattended],
    script: {
      main: [
        tools(bash('sleep 0.2; echo one'), bash('exit 3')),
        error(529),
        tools(subagent('SUB-ONE', false)),
        tools(toolUse('Read', { file_path: '/does/not/exist' })),
        text('Done.'),
      ],
      agents: { 'SUB-ONE': [tools(bash('echo two')), text('Sub done.')] },
    },
  },
  // The API is too busy, once more too.
  refused: { args: ['-p', 'Go'], script: { main: [error(529), error(529)] } },
  terminal: {
    args: ['--permission-mode', 'manual'],
    script: {
      main: [tools(bash('touch allowed')), text('Touched.'), text('Once more.'), tools(bash('touch forbidden'))],
    },
    async act(terminal) {
      await terminal.shows('? for shortcuts')
      await terminal.enter('Touch one')
      await terminal.shows('Do you want to proceed?')
      await Bun.sleep(800)
      terminal.press('Enter')
      await terminal.shows('Touched.')
      await terminal.enter('/compact')
      await terminal.shows('Compacted')
      await terminal.enter('Say it again')
      await terminal.shows('Once more.')
      await terminal.enter('Touch another')
      await terminal.shows('Do you want to proceed?')
      terminal.press('Escape')
      await terminal.shows('Interrupted')
      await terminal.enter('/exit')
      await terminal.exited()
    },
  },
}

const folder = join(import.meta.dir, '../fixtures/both')
mkdirSync(folder, { recursive: true })
const wanted = process.argv.slice(2)
for (const [name, play] of Object.entries(plays)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const told = await record(play)
  writeFileSync(join(folder, `${name}.json`), render(told))
  console.log(`${name}: ${told.spans.length} spans, ${told.logs.length} log records`)
}

/** A line for each record; what they all come from stands once. */
function render({ spans, logs }: Both): string {
  const sources = [...new Set([...spans, ...logs].map(({ source }) => JSON.stringify(source)))]
  const lines = (list: readonly (OtlpSpan | OtlpLogRecord)[]) =>
    list.map((each) => JSON.stringify({ ...each, source: sources.indexOf(JSON.stringify(each.source)) })).join(',\n')
  return `{"sources":[\n${sources.join(',\n')}],\n"spans":[\n${lines(spans)}],\n"logs":[\n${lines(logs)}]}\n`
}

async function record({ script, args, act }: Play): Promise<Both> {
  const told: Both = { spans: [], logs: [] }
  const receiver = await startReceiver({
    host: '127.0.0.1',
    grpcPort: 0,
    httpPort: 0,
    accept: async (batch) => {
      if (batch.signal === 'traces') told.spans.push(...batch.spans)
      if (batch.signal === 'logs') told.logs.push(...batch.logs)
      return { rejected: 0 }
    },
  })
  const home = await createClaudeHome()
  const hooks = { PreToolUse: [{ matcher: 'Bash', hooks: [{ type: 'command', command: 'sleep 0.05' }] }] }
  await Bun.write(join(home.path, '.claude/settings.json'), JSON.stringify({ hooks }))
  const api = await startMessagesApi(script)
  const env = home.environment(api.url, {
    CLAUDE_CODE_ENABLE_TELEMETRY: '1',
    CLAUDE_CODE_ENHANCED_TELEMETRY_BETA: '1',
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.httpPort}`,
    OTEL_LOG_TOOL_DETAILS: '1',
    CLAUDE_CODE_MAX_RETRIES: '1',
  })
  const command = [claudeOtelBinary, ...args]
  try {
    if (act === undefined) await run({ command, cwd: home.project, env })
    else {
      const terminal = await startTerminal({ command, cwd: home.project, env, folder: home.path })
      try {
        await act(terminal)
      } finally {
        terminal.close()
      }
    }
    await until('the end of the session', () => told.spans.some((span) => span.name === 'claude.session'))
    await until('its last word', () => told.logs.some((log) => log.eventName === 'session.end'))
    return told
  } finally {
    await receiver.close(AbortSignal.timeout(1000))
    await api.close()
    await home.remove()
  }
}
