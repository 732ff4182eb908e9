/** Whoever takes a run over is killed, and whoever takes it over then is killed too: each step with each, on a recorded session. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRunFolder } from '../../src/session/run.ts'
import { run } from '../kit/claude-home.ts'
import { metricTotals, type OtlpSink, startOtlpSink } from '../kit/otlp-sink.ts'
import { until } from '../kit/until.ts'
import { fillSpool, readRecording } from '../session/recording.ts'
import { arm, FAULTS_BINARY, type Fault, runsOf } from './kit.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-double-'))
afterAll(() => rmSync(root, { recursive: true }))

const steps: readonly Fault[] = [
  'pump.take',
  'pump.taken',
  'journal.append',
  'journal.torn',
  'journal.appended',
  'journal.appended#2',
  'pump.removed',
  'export.begin',
  'export.sent',
  'export.sent#3',
  'export.acked',
  'export.acked#3',
  'run.remove',
  'run.removing',
]

type Temporality = 'cumulative' | 'delta'

interface Scene {
  readonly temporality: Temporality
  readonly home: { readonly path: string; readonly state: string }
  readonly sink: OtlpSink
}

const calls = readRecording('tools').filter(({ pid }, _, [first]) => pid === first?.pid)
const names = ['sessions', 'turns', 'tool_calls', 'tokens', 'model_requests'].map((name) => `claude.${name}_total`)

function openScene(sink: OtlpSink, temporality: Temporality): Scene {
  const path = mkdtempSync(join(root, 'home-'))
  const state = join(path, 'state')
  fillSpool(createRunFolder(join(state, 'runs/claude-9000001')), calls)
  return { home: { path, state }, sink, temporality }
}

async function drain(
  { home, sink, temporality }: Scene,
  fault: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: home.path,
    CLAUDE_OTEL_HOME: home.state,
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality,
    ...sink.environment(),
    ...fault,
  }
  const { exitCode, signal, stderr } = await run({ command: [FAULTS_BINARY, 'drain'], cwd: home.path, env })
  if (signal !== 'SIGKILL') expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  return signal === 'SIGKILL'
}

/** Until nothing is left; a take-over that was killed on its way in holds the next one up for two seconds. */
const drainAll = (scene: Scene): Promise<unknown> =>
  until('the runs to be gone', async () => {
    await drain(scene)
    return runsOf(scene).length === 0
  })

function contentOf({ sink }: Scene): object {
  const unique = (records: readonly object[]): string[] => [
    ...new Set(records.map((record) => JSON.stringify({ ...record, resource: undefined }))),
  ]
  const points = sink.points()
  return {
    spans: unique(sink.spans()).sort(),
    // The same record that comes again has the same uid; other runs, as the scenes are, have others.
    logs: unique(sink.logs())
      .map((text) => JSON.parse(text))
      .map(({ attributes: { 'log.record.uid': uid, ...attributes }, ...log }) => {
        expect(uid).toBeString()
        return JSON.stringify({ ...log, attributes })
      })
      .sort(),
    metrics: Object.fromEntries(names.map((name) => [name, metricTotals(points, name)['']])),
  }
}

const expected = withScene(async (scene) => {
  expect(await drain(scene)).toBe(false)
  expect(runsOf(scene)).toEqual([])
  return contentOf(scene)
})

async function withScene<Result>(
  play: (scene: Scene) => Promise<Result>,
  temporality: Temporality = 'cumulative',
): Promise<Result> {
  const sink = await startOtlpSink()
  try {
    return await play(openScene(sink, temporality))
  } finally {
    await sink.close()
  }
}

describe('a take-over that is killed, and the next one too', () => {
  for (const first of steps) test.concurrent(`first at ${first}, then at any step`, () => each(first), 180_000)
  for (const first of steps.filter((step) => step.startsWith('export.'))) {
    test.concurrent(`the same of deltas, first at ${first}`, () => each(first, 'delta'), 180_000)
  }

  async function each(first: Fault, temporality?: Temporality): Promise<void> {
    for (const second of [...steps, 'run.replace' as const]) {
      const got = await withScene(async (scene) => {
        for (const [index, fault] of [first, second].entries()) {
          const { env, unexploded } = arm(scene, fault)
          // The second may find that the step is already behind it: then it does all that is left.
          if (!(await drain(scene, env))) expect([index, unexploded()]).toEqual([1, [second]])
        }
        await drainAll(scene)
        expect(
          new Set(scene.sink.points().map((point) => point.temporality)).has(temporality === 'delta' ? 1 : 2),
        ).toBe(true)
        return contentOf(scene)
      }, temporality)
      expect({ second, ...got }).toEqual({ second, ...(await expected) })
    }
  }
})

test('a take-over that is killed on its way in holds nobody up for long', () =>
  withScene(async (scene) => {
    mkdirSync(join(scene.home.state, 'runs/claude-9000001'), { recursive: true })
    writeFileSync(join(scene.home.state, 'runs/claude-9000001/owner'), '9000002 1\n')
    const { env } = arm(scene, 'run.replace')
    expect(await drain(scene, env)).toBe(true)
    await drainAll(scene)
    expect(contentOf(scene)).toEqual(await expected)
  }))
