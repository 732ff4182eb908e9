/** Whether a process lives, and whether it is the one that is meant. */
import { afterEach, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { birthOf, isProcessAlive } from '../../src/session/processes.ts'
import { until } from '../kit/until.ts'

const children: Bun.Subprocess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function sleeper(): number {
  const child = Bun.spawn(['sleep', '60'], { stdio: ['ignore', 'ignore', 'ignore'] })
  children.push(child)
  return child.pid
}

async function deadPid(): Promise<number> {
  const child = Bun.spawn(['true'])
  await child.exited
  return child.pid
}

describe('a process', () => {
  test('is alive until it has ended', async () => {
    expect(isProcessAlive(process.pid)).toBe(true)
    expect(isProcessAlive(await deadPid())).toBe(false)
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('numbered %p is none', (pid) => {
    expect(isProcessAlive(pid)).toBe(false)
  })
})

describe.skipIf(process.platform !== 'linux')('a number that is given to another process', () => {
  test('is told from the process that had it before by its birth', () => {
    const pid = sleeper()
    const birth = birthOf(pid)
    expect(birth).toBeGreaterThan(0)
    expect(isProcessAlive(pid, birth)).toBe(true)
    expect(isProcessAlive(pid, birth - 1)).toBe(false)
  })

  test('is nobody’s who was there before that process was born', () => {
    const pid = sleeper()
    const now = Date.now() * 1000
    expect(isProcessAlive(pid, birthOf(pid, now))).toBe(true)
    expect(isProcessAlive(pid, birthOf(pid, now - 60_000_000))).toBe(false)
    expect(isProcessAlive(1, birthOf(1, now))).toBe(true)
  })

  test('is nobody’s when there was none to have it', async () => {
    const pid = await deadPid()
    expect(birthOf(pid)).toBe(-1)
    expect(isProcessAlive(process.pid, -1)).toBe(false)
  })
})

test.skipIf(process.platform !== 'linux')(
  'a process that has ended is dead, also when its parent never asks',
  async () => {
    // The shell starts one and becomes another program before that ends, which does not know that it has a child.
    const parent = Bun.spawn(['sh', '-c', 'sleep 0.2 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    children.push(parent)
    const { value } = await parent.stdout.getReader().read()
    const pid = Number(new TextDecoder().decode(value))
    await until('it to have ended', () => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '))
    expect(isProcessAlive(pid)).toBe(false)
    expect(isProcessAlive(pid, birthOf(pid))).toBe(false)
  },
)
