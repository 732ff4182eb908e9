/** What is known of all runs, read from folders made by hand. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveStatePaths, type StatePaths } from '../../src/base/paths.ts'
import { renderStatus } from '../../src/commands/status-text.ts'
import { resolveConfig } from '../../src/config/config.ts'
import type { DestinationReport } from '../../src/export/delivery.ts'
import { recordDrop } from '../../src/session/drops.ts'
import { HealthMeter, noHealth } from '../../src/session/health.ts'
import { appendReport, type RunReport, readReports } from '../../src/session/reports.ts'
import { claimRun, createRunFolder } from '../../src/session/run.ts'
import { readStatus } from '../../src/session/status.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-status-'))
afterAll(() => rmSync(root, { recursive: true }))

let paths: StatePaths
beforeEach(() => {
  const home = mkdtempSync(join(root, 'home-'))
  const resolved = resolveStatePaths({ CLAUDE_OTEL_HOME: home })
  if (resolved === undefined) throw new Error('no state folder')
  paths = resolved
})

const { config } = resolveConfig({ env: {}, flags: {} })
const statusNow = () => readStatus(paths, config)

const counts = (delivered: number, queued: number, dropped: number): DestinationReport['counts'] => ({
  traces: { delivered, queued, dropped },
  logs: { delivered, queued: 0, dropped: 0 },
  metrics: { delivered: 0, queued: 0, dropped },
})

const report = (run: string, at: number, destinations: RunReport['destinations'], more: Partial<RunReport> = {}) =>
  appendReport(paths.reports, { v: 1, at, run, settled: true, destinations, health: noHealth, ...more })

describe('reports', () => {
  test('of a run that was closed twice are its last one', () => {
    report('a', 1, { team: { counts: counts(1, 5, 0) } })
    report('b', 2, {})
    report('a', 3, { team: { counts: counts(6, 0, 0) } })
    expect(readReports(paths.reports).map(({ run, at }) => [run, at])).toEqual([
      ['b', 2],
      ['a', 3],
    ])
  })

  test('are for their owner alone', () => {
    report('a', 1, {})
    expect(statSync(paths.reports).mode & 0o777).toBe(0o600)
  })

  test('that are cut, foreign or of a later version are passed over', () => {
    report('a', 1, {})
    appendFileSync(paths.reports, '\0\0\n{"v":2,"run":"later"}\nwords\n[]\n{"v":1,"at":3,"run":"cut","desti')
    expect(readReports(paths.reports).map(({ run }) => run)).toEqual(['a'])
  })

  test('do not grow for ever, and the former ones are still read', () => {
    report('old', 1, {})
    writeFileSync(paths.reports, `${readFileSync(paths.reports)}${' '.repeat(3_000_000)}\n`)
    report('new', 2, {})
    expect(statSync(paths.reports).size).toBeLessThan(10_000)
    expect(readReports(paths.reports).map(({ run }) => run)).toEqual(['old', 'new'])
  })
})

describe('the status', () => {
  test('of nothing is that', () => {
    const status = statusNow()
    expect(status).toMatchObject({ living: 0, waiting: 0, uncounted: 0, bytes: 0, givenUp: [] })
    expect(renderStatus(paths.root, status)).toMatch(
      /grpc http:\/\/127.0.0.1:4317 +0 delivered +0 queued +0 dropped +not used yet/,
    )
  })

  test('adds up what each destination got, and what waits for it in runs that are still there', () => {
    createRunFolder(join(paths.runs, 'waits'))
    report('waits', 1000, {
      team: { counts: counts(3, 7, 0), lastError: 'HTTP 503' },
      local: { counts: counts(10, 0, 0) },
    })
    report('dropped since', 2000, { team: { counts: counts(0, 100, 0) } })
    report('refused', 3000, { local: { counts: counts(1, 0, 2) } })
    expect(statusNow().destinations).toMatchObject({
      team: { delivered: 6, queued: 7, dropped: 0, at: 2000 },
      local: { delivered: 22, queued: 0, dropped: 4, at: 3000 },
    })
  })

  test('tells the last error of a destination until something went well again', () => {
    report('a', 1, { team: { counts: counts(0, 1, 0), lastError: 'refused' } })
    expect(statusNow().destinations.team?.lastError).toBe('refused')
    expect(renderStatus(paths.root, statusNow())).toContain('refused')
    report('b', 2, { team: { counts: counts(1, 0, 0) } })
    expect(statusNow().destinations.team?.lastError).toBeUndefined()
  })

  test('tells when a session was last heard of, under the wrapper and by hooks alone', () => {
    report('1700000000000000-4711-abc', 5000, {})
    report('1700000000000001-4712-abc', 4000, {})
    report('claude-4713', 3000, {})
    expect(statusNow().lastEvent).toEqual({ wrapped: 5000, hooked: 3000 })
    const { journal, spool } = createRunFolder(join(paths.runs, 'claude-4714'))
    expect(statusNow().lastEvent.hooked).toBeCloseTo(statSync(spool).mtimeMs, 0)
    writeFileSync(journal, '')
    expect(statusNow().lastEvent.hooked).toBeCloseTo(statSync(journal).mtimeMs, 0)
    expect(renderStatus(paths.root, statusNow(), 65_000)).toContain('1 minute ago under claude-otel')
  })

  test('tells living runs from those that wait, and these from those that nobody has counted', () => {
    claimRun(createRunFolder(join(paths.runs, 'lives')))
    createRunFolder(join(paths.runs, 'killed'))
    createRunFolder(join(paths.runs, 'waits'))
    report('waits', 1, {})
    expect(statusNow()).toMatchObject({ living: 1, waiting: 2, uncounted: 1 })
  })

  test('tells what may lie on disk, and what was given up to keep to that', () => {
    expect(renderStatus(paths.root, statusNow())).toContain('at most 256 MB and 7 d for what is not delivered')
    recordDrop(paths.dropped, { at: 1, run: 'a', reason: 'size', bytes: 300_000_000 })
    expect(statusNow().givenUp).toEqual([{ at: 1, run: 'a', reason: 'size', bytes: 300_000_000 }])
    expect(renderStatus(paths.root, statusNow())).toContain('1 run (300 MB) dropped to stay within 256 MB')
  })

  test('adds up how hooks did, and what was cut, masked, lost or unknown', () => {
    const meter = new HealthMeter()
    const measure = (instrument: 'claude_otel.hook.duration' | 'claude_otel.hooks_lost_total', value: number) =>
      meter.add([{ kind: 'metric', instrument, value, timeUnixMicro: 1, attributes: { 'hook.event': 'PreToolUse' } }])
    for (const ms of [1.2, 1.2, 1.2, 12]) measure('claude_otel.hook.duration', ms)
    measure('claude_otel.hooks_lost_total', 1)
    report('a', 1, {}, { health: meter.read() })
    report('b', 2, {}, { health: meter.read() })
    const text = renderStatus(paths.root, statusNow())
    expect(text).toMatch(/8 calls, p50 1\.\d ms, p99 1[0-5]\.\d ms, 2 lost/)
    expect(text).toMatch(/claude_otel\.hooks_lost_total +PreToolUse +2/)
  })
})
