/** A hub of the compiled binary on free ports, and what it says of usage. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TokenCounts } from '../../src/usage/record.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'

export interface HubProcess {
  readonly grpcPort: number
  readonly httpPort: number
  /** Of the dashboard. */
  readonly port: number
  readonly store: string
  readonly stderr: () => string
  readonly child: Bun.Subprocess
  /** Of everything, as `claude-otel usage` tells it. */
  usage(by?: string): Promise<{
    readonly totals: TokenCounts & { costUsd: number | null }
    readonly rows: readonly Record<string, unknown>[]
  }>
  /** By SIGTERM; gives the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>
}

export interface HubHome {
  readonly path: string
  start(args?: readonly string[], env?: Readonly<Record<string, string>>): Promise<HubProcess>
  /** With the hubs that a test which failed has left behind. */
  remove(): void
}

export function createHubHome(): HubHome {
  const path = mkdtempSync(join(tmpdir(), 'claude-otel-hub-'))
  const environment = { PATH: process.env.PATH ?? '', HOME: path, CLAUDE_OTEL_HOME: join(path, 'otel') }
  const started: HubProcess[] = []
  return {
    path,
    start: async (args = [], env = {}) => {
      const hub = await startHubProcess({ ...environment, ...env }, args)
      started.push(hub)
      return hub
    },
    remove: () => {
      for (const { child } of started) child.kill('SIGKILL')
      rmSync(path, { recursive: true, force: true })
    },
  }
}

async function startHubProcess(env: Record<string, string>, args: readonly string[]): Promise<HubProcess> {
  const ports = ['--grpc-port', '0', '--http-port', '0', '--port', '0']
  const child = Bun.spawn([claudeOtelBinary, 'serve', '--json', ...ports, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const complaints = (async () => {
    for await (const chunk of child.stderr) said += new TextDecoder().decode(chunk)
  })()
  const line = await firstLine(child.stdout)
  if (line === undefined) {
    await complaints
    throw new Error(`the hub did not start: ${said}`)
  }
  const { grpcPort, httpPort, port, store } = JSON.parse(line)
  return {
    grpcPort,
    httpPort,
    port,
    store,
    child,
    stderr: () => said,
    usage: async (by = 'model') => {
      const asked = Bun.spawn([claudeOtelBinary, 'usage', by, '--json', '--store', store], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      return JSON.parse(await new Response(asked.stdout).text())
    },
    end: async (signal = 'SIGTERM') => {
      child.kill(signal)
      await child.exited
      return child.exitCode
    },
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  let text = ''
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk)
    if (text.includes('\n')) return text.slice(0, text.indexOf('\n'))
  }
  return undefined
}
