/** Where the faults of a collector are played: claude's home, its API, and a collector by HTTP or gRPC. */

import { join } from 'node:path'
import type { Protocol } from '../../src/config/config.ts'
import { type Collector, startCollector } from '../export/collectors.ts'
import type { Certificates } from '../kit/certificates.ts'
import { type ClaudeHome, createClaudeHome, type RunResult, run } from '../kit/claude-home.ts'
import { type MessagesApi, startMessagesApi, text, tools } from '../kit/messages-api.ts'
import { bash } from '../sessions/words.ts'

/** Where claude runs, with a collector that does as it is told. */
export interface CollectorStage {
  readonly home: ClaudeHome
  readonly api: MessagesApi
  collector: Collector
  readonly protocol: Protocol
  /** Added to claude-otel's environment; a drain can have another. */
  env: Record<string, string>
  clear(): Promise<void>
}

/** A new home with servers of its own. The script is one call of a tool and an answer, `Done.` */
export async function openCollectorStage(protocol: Protocol, tls?: Certificates['server']): Promise<CollectorStage> {
  const [home, api, collector] = await Promise.all([
    createClaudeHome(),
    startMessagesApi({ main: [tools(bash('echo hi')), text('Done.')] }),
    startCollector(protocol, 0, tls),
  ])
  const stage: CollectorStage = {
    home,
    api,
    collector,
    protocol,
    env: {},
    clear: async () => {
      stage.collector.stop()
      await Promise.all([api.close(), home.remove()])
    },
  }
  return stage
}

/** Runs the program in the stage's project, telling it of the stage's API and collector. */
export function runOn(
  { home, api, collector, protocol, env }: CollectorStage,
  ...command: string[]
): Promise<RunResult> {
  const endpoint = collector.url.replace('127.0.0.1', 'localhost')
  const otlp = { OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }
  return run({ command, cwd: home.project, env: home.environment(api.url, { ...otlp, ...env }) })
}

export interface TimedResult extends RunResult {
  /** From the end of claude's own work to the end of the program. */
  readonly exitMs: number
}

/** One session; the end of claude's work is stamped by a hook of the user's own. */
export async function runSession(stage: CollectorStage, program: string): Promise<TimedResult> {
  const [settings, ended] = [join(stage.home.path, 'own.json'), join(stage.home.path, 'ended')]
  const hook = { type: 'command', command: `date +%s%3N > ${ended}` }
  await Bun.write(settings, JSON.stringify({ hooks: { SessionEnd: [{ hooks: [hook] }] } }))
  const mode = ['--permission-mode', 'bypassPermissions', '--settings', settings]
  const result = await runOn(stage, program, '-p', 'Say hi', ...mode)
  return { ...result, exitMs: Date.now() - Number(await Bun.file(ended).text()) }
}

/** The collector anew on the same port, with what it has got already. */
export async function restart(stage: CollectorStage): Promise<void> {
  const port = Number(new URL(stage.collector.url).port)
  const { received } = stage.collector
  stage.collector.stop()
  stage.collector = await startCollector(stage.protocol, port)
  stage.collector.received.push(...received)
}
