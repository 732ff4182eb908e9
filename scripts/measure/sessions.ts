/** Sessions of the real claude with a scripted model: alone, under the wrapper, and with hooks by other transports. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { wrappedRunName } from '../../src/hook/run-folder.ts'
import { claudeBinary } from '../../test/kit/claude-home.ts'
import type { SinkMode } from '../../test/kit/otlp-sink.ts'
import { BINARY } from '../build.ts'
import { type Measure, median, ms, playSession, playWrapped, STREAM } from './kit.ts'

const ROUNDS = 3
const TOOLS = 60

/** What a session, a tool call and a hook call cost in wall time. */
export async function measureSession(effort: number): Promise<Measure[]> {
  const times = await inRounds(ROUNDS * effort, {
    bare: () => playSession({ program: [claudeBinary], toolCalls: TOOLS }),
    wrapped: () => playWrapped(TOOLS),
    bareEmpty: () => playSession({ program: [claudeBinary], toolCalls: 0 }),
    wrappedEmpty: () => playWrapped(0),
  })
  const [bare, wrapped] = [median(times.bare), median(times.wrapped)]
  const fixedMs = median(times.wrappedEmpty) - median(times.bareEmpty)
  const toolsMs = wrapped - bare - fixedMs
  const hookCalls = (await countHookCalls(TOOLS)) - (await countHookCalls(0))
  return [
    {
      name: 'session',
      title: `Session of ${TOOLS} tool calls / the same under bare claude`,
      value: wrapped / bare,
      unit: '×',
      from: `${ms(wrapped)} / ${ms(bare)}, ${times.wrapped.length} runs each; start and end ${ms(fixedMs)}`,
    },
    {
      name: 'tool',
      title: 'Added wall time per tool call',
      value: toolsMs / TOOLS,
      unit: 'ms',
      from: 'that session, without what one of no tool calls adds',
    },
    {
      name: 'hookCall',
      title: 'Added wall time per hook call',
      value: toolsMs / hookCalls,
      unit: 'ms',
      from: `the same, over ${hookCalls} hook calls`,
    },
  ]
}

/** How long the wrapper lives on when claude has ended: with a collector that answers, and with one that never does. */
export async function measureExit(effort: number): Promise<Measure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'claude-otel-bench-'))
  try {
    const [healthy, hanging] = [await exitTimes(folder, 'accept', effort), await exitTimes(folder, 'hang', effort)]
    const from = (times: readonly number[]) => `median of ${times.length} sessions with a tool call`
    return [
      {
        name: 'exitHealthy',
        title: 'Exit after claude, healthy collector',
        value: median(healthy),
        unit: 'ms',
        from: from(healthy),
      },
      {
        name: 'exitDead',
        title: 'Exit after claude, collector that never answers',
        value: median(hanging),
        unit: 'ms',
        from: from(hanging),
      },
    ]
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function exitTimes(folder: string, sinkMode: SinkMode, effort: number): Promise<number[]> {
  const stamp = join(folder, 'claude-ended')
  const stamping = join(folder, 'claude')
  // Says when the real claude has ended, and ends like it.
  await Bun.write(stamping, `#!/bin/sh\n"${claudeBinary}" "$@"\ncode=$?\ndate +%s%N > "${stamp}"\nexit $code\n`)
  await Bun.spawn(['chmod', '700', stamping]).exited
  const times: number[] = []
  for (let round = 0; round < ROUNDS * effort; round++) {
    const played = await playSession({ program: [BINARY], toolCalls: 1, env: { CLAUDE_BIN: stamping }, sinkMode })
    times.push(played.endedAt - Number(await Bun.file(stamp).text()) / 1e6)
  }
  return times
}

/**
 * The same session with a hook before and after every tool call, by each transport that claude offers: commands that it waits for,
 * commands that it does not wait for, requests to a server that lives as long as the wrapper would.
 */
export async function measureTransports(effort: number): Promise<Measure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'claude-otel-bench-'))
  const run = join(folder, wrappedRunName(Date.now() * 1000, process.pid, 'bench'))
  const spool = join(run, 'spool')
  await mkdir(spool, { recursive: true })
  let requests = 0
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      await Bun.write(join(spool, `http-${++requests}`), await request.text())
      return new Response()
    },
  })
  const command = { type: 'command', command: BINARY, args: ['hook', 'tool'] }
  const transports = {
    none: undefined,
    sync: command,
    async: { ...command, async: true },
    http: { type: 'http', url: `http://127.0.0.1:${server.port}/` },
  }
  const play = (hook: object | undefined) => () =>
    playSession({
      program: [claudeBinary],
      toolCalls: TOOLS,
      args: hook === undefined ? [] : ['--settings', settingsWith(hook)],
      env: { CLAUDE_OTEL_RUN: run },
    })
  try {
    const times = await inRounds(ROUNDS * effort, {
      none: play(transports.none),
      sync: play(transports.sync),
      async: play(transports.async),
      http: play(transports.http),
    })
    const names = { sync: 'command', async: 'asynchronous command', http: 'HTTP request' } as const
    return (['sync', 'async', 'http'] as const).map((transport) => ({
      name: `transport.${transport}`,
      title: `A hook as ${names[transport]}, added wall time per call`,
      value: (median(times[transport]) - median(times.none)) / (2 * TOOLS),
      unit: 'ms',
      from: `${ms(median(times[transport]))} − ${ms(median(times.none))} over ${2 * TOOLS} calls, ${times.none.length} runs each`,
    }))
  } finally {
    await server.stop(true)
    await rm(folder, { recursive: true })
  }
}

function settingsWith(hook: object): string {
  const events = ['PreToolUse', 'PostToolUse']
  return JSON.stringify({ hooks: Object.fromEntries(events.map((event) => [event, [{ hooks: [hook] }]])) })
}

/** Wall times of sessions that are played in turns; the first round, which warms the page cache, is not counted. */
async function inRounds<Name extends string>(
  rounds: number,
  sessions: Record<Name, () => Promise<{ readonly wallMs: number }>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(sessions) as Name[]
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const { wallMs } = await sessions[name]()
      if (round > 0) times[name].push(wallMs)
    }
  }
  return times
}

/** Claude itself tells of every hook call when it is asked to. */
async function countHookCalls(toolCalls: number): Promise<number> {
  const { stdout } = await playWrapped(toolCalls, [...STREAM, '--include-hook-events'])
  return stdout.split('"subtype":"hook_started"').length - 1
}
