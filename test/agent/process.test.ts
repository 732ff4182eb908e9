/** How a process of claude's is ended: politely, and then not. */
import { afterEach, describe, expect, test } from 'bun:test'
import { ClaudeProcess } from '../../src/agent/process.ts'
import { Failure } from '../../src/base/errors.ts'
import { isProcessAlive } from '../../src/session/processes.ts'
import { until } from '../kit/until.ts'

const started: ClaudeProcess[] = []
afterEach(() => {
  for (const each of started.splice(0)) if (isProcessAlive(each.pid)) process.kill(each.pid, 'SIGKILL')
})

const bounds = { politeMs: 300, stepMs: 300 }

describe('A process', () => {
  test('that waits for input ends with it', async () => {
    const process = start('cat > /dev/null; exit 7')
    await process.end(undefined)
    expect(await process.ended).toEqual({ code: 7 })
  })

  test('that is at work gets the signal', async () => {
    const { process, ready } = await startReady("trap 'exit 9' INT; echo ready; while :; do sleep 0.02; done")
    await ready
    await process.end('SIGINT')
    expect(await process.ended).toEqual({ code: 9 })
  })

  test('that does not listen to it gets SIGTERM', async () => {
    const { process, ready } = await startReady(
      "trap '' INT; trap 'exit 8' TERM; echo ready; while :; do sleep 0.02; done",
    )
    await ready
    await process.end('SIGINT')
    expect(await process.ended).toEqual({ code: 8 })
  })

  test('that listens to nothing is killed, with what it has started', async () => {
    const { process, ready } = await startReady("trap '' INT TERM; sleep 60 & echo $!; while :; do sleep 0.02; done")
    const child = Number(await ready)
    expect(isProcessAlive(child)).toBe(true)
    await process.end('SIGINT')
    expect(await process.ended).toEqual({ signal: 'SIGKILL' })
    await until('the end of what it has started', () => !isProcessAlive(child))
  })

  test('has a group of its own', async () => {
    const claude = start('cat > /dev/null')
    // There is a group of that number.
    expect(process.kill(-claude.pid, 0)).toBe(true)
    await claude.end(undefined)
  })

  test('gets our arguments behind the others, and its stderr is ours to read', async () => {
    let said = ''
    const how = { command: '/bin/sh', args: ['-c', 'echo "$@" >&2', 'sh', 'first'], env: {}, signal: quiet }
    const process = new ClaudeProcess(how, ['--model=opus'], (text) => (said += text))
    await process.ended
    await until('its words', () => said === 'first --model=opus\n')
  })

  test('that is not there fails as such', async () => {
    const how = { command: '/nowhere/claude', args: [], env: {}, signal: quiet }
    expect(await new ClaudeProcess(how, [], undefined).ended.catch((error: unknown) => error)).toBeInstanceOf(Failure)
  })
})

const quiet = new AbortController().signal

function start(script: string): ClaudeProcess {
  const env = { PATH: process.env.PATH ?? '' }
  const how = { command: '/bin/sh', args: ['-c', script], env, signal: quiet }
  const claude = new ClaudeProcess(how, [], undefined, bounds)
  started.push(claude)
  return claude
}

async function startReady(script: string): Promise<{ process: ClaudeProcess; ready: Promise<string> }> {
  const process = start(script)
  const ready = new Promise<string>((resolve) => {
    process.pipes.stdout.once('data', (data: Buffer) => resolve(data.toString()))
  })
  return { process, ready }
}
