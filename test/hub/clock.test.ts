/** The clock of the machine is put right, or it sleeps: the hub and who keeps it go by another. */
import { afterAll, afterEach, expect, setSystemTime, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveStatePaths } from '../../src/base/paths.ts'
import { resolveConfig } from '../../src/config/config.ts'
import { startHub } from '../../src/hub/hub.ts'
import { HubKeeper } from '../../src/hub/keeper.ts'
import { until } from '../kit/until.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-clock-'))
const hourMs = 3_600_000
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  setSystemTime()
  for (const cleanup of cleanups.splice(0)) await cleanup()
})
afterAll(() => rmSync(root, { recursive: true }))

test('A hub is not idle for an hour because the clock was put forward', async () => {
  const { config } = resolveConfig({ env: { CLAUDE_OTEL_HOME: root } })
  const hub = await startHub({ config: { ...config.hub, grpcPort: 0, httpPort: 0, port: 0 }, env: {} })
  cleanups.push(() => hub.close(AbortSignal.timeout(100)))
  setSystemTime(new Date(Date.now() + hourMs))
  expect(hub.idleMs()).toBeLessThan(hourMs / 2)
})

test('A hub that did not start is tried again although the clock was put back', async () => {
  const paths = resolveStatePaths({ CLAUDE_OTEL_HOME: root })
  if (paths === undefined) throw new Error('no paths')
  const said: string[] = []
  const started = () => said.filter((line) => line.startsWith('started a hub')).length
  const ports = { grpcPort: 1, httpPort: 2 }
  const keeper = new HubKeeper({ paths, ports, env: { PATH: process.env.PATH }, log: (line) => said.push(line) })
  cleanups.push(() => keeper.stop())
  await until('the first', () => started() === 1)
  setSystemTime(new Date(Date.now() - hourMs))
  await until('the next', () => started() === 2, { timeoutMs: 4000 })
})
