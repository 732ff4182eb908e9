/** Grafana's dashboards and alerts: every query of theirs runs on ClickHouse's own engine and finds what is there. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { alertRules, dashboards } from '../../src/stack/dashboards.ts'
import { dataSourceIds, describeAlerts, describeDataSources, renderDashboards } from '../../src/stack/grafana.ts'
import { readStackSettings } from '../../src/stack/settings.ts'
import { expandMacros } from './grafana.ts'
import { type Engine, startEngine, temporaryFolder } from './kit.ts'

const folder = temporaryFolder()
let engine: Engine
beforeAll(async () => {
  engine = await startEngine(folder.path)
  for (const statement of session('grafana')) await engine.ask(statement)
}, 120_000)
afterAll(async () => {
  await engine.stop()
  await folder.remove()
})

/** What makes every panel have something to show: a turn, a request told by two, tool calls, costs, errors, losses. */
function session(id: string): readonly string[] {
  const span = (name: string, attributes: string) =>
    `(now64(9), 'trace', '${name}', 'Error', 5000000000, 'claude-otel', {'session.id': '${id}', ${attributes}})`
  const log = (scope: string, event: string, attributes: string) =>
    `(now64(9), '${scope}', '${event}', {'session.id': '${id}', ${attributes}})`
  const sum = (name: string, value: number) =>
    `('${name}', {'session.id': '${id}', 'model': 'claude-x'}, now64(9) - 60, now64(9), ${value}, 2)`
  return [
    `INSERT INTO otel_traces (Timestamp, TraceId, SpanName, StatusCode, Duration, ScopeName, SpanAttributes) VALUES ${[
      span('invoke_agent claude-code', "'turn.index': '1', 'prompt.preview': 'go', 'vcs.repository.name': 'repo'"),
      span(
        'chat claude-x',
        "'gen_ai.operation.name': 'chat', 'tokens.input': '5', 'gen_ai.response.model': 'claude-x'",
      ),
      span(
        'execute_tool Bash',
        "'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'Bash', 'tool.status': 'error'",
      ),
    ].join(', ')}`,
    `INSERT INTO otel_logs (Timestamp, ScopeName, EventName, LogAttributes) VALUES ${[
      log('com.anthropic.claude_code.events', 'api_request', "'input_tokens': '5', 'model': 'claude-x'"),
      log('claude-otel', 'claude.api_error', "'http.response.status_code': '529'"),
    ].join(', ')}`,
    `INSERT INTO otel_metrics_sum (MetricName, Attributes, StartTimeUnix, TimeUnix, Value, AggregationTemporality) VALUES ${[
      sum('claude.cost_usd_total', 120),
      sum('claude_otel.hooks_lost_total', 2),
    ].join(', ')}`,
  ]
}

const panels = dashboards.flatMap(({ title, panels }) =>
  panels.filter(({ query }) => query.source === 'clickhouse').map((panel) => [title, panel.title, panel] as const),
)

describe('A panel', () => {
  test.each(panels)('of %s, %s, shows what is there', async (_, __, { type, query }) => {
    const text = expandMacros(query.text)
    expect(text).not.toContain('$__')
    const answer = await engine.ask(`${text} FORMAT TabSeparatedWithNamesAndTypes`)
    const [names = '', types = '', ...rows] = answer.split('\n')
    expect(rows).not.toEqual([])
    if (type === 'timeseries') {
      expect(names).toStartWith('time\t')
      expect(types).toStartWith('DateTime\t')
    }
    if (type === 'stat') expect(Number(rows[0])).toBeGreaterThan(0)
    if (type === 'logs') expect(names).toStartWith('timestamp\tbody')
  })
})

describe('An alert', () => {
  test.each(alertRules.map((rule) => [rule.title, rule] as const))('%s: asks for one number', async (_, { query }) => {
    const answer = await engine.ask(query)
    expect(answer.split('\n').length).toBe(1)
    expect(Number(answer)).not.toBeNaN()
  })

  test('is raised by what it warns of, and not before', async () => {
    const value = async (id: string) => Number(await engine.ask(alertRules.find((rule) => rule.id === id)?.query ?? ''))
    expect(await value('cost-per-day')).toBe(120)
    const cost = alertRules.find(({ id }) => id === 'cost-per-day')
    expect(cost?.title).toContain(`${cost?.above} USD`)
    expect(await value('silent')).toBe(0)
    expect(await value('tool-errors')).toBe(0)
    const calls = Array.from(
      { length: 20 },
      (_, n) => `('s', now64(6), 't', '${n}', 'Bash', '${n < 10 ? 'error' : 'success'}')`,
    )
    await engine.ask(
      `INSERT INTO claude_tool_calls (SessionId, Time, TraceId, SpanId, Tool, Status) VALUES ${calls.join(', ')}`,
    )
    expect(await value('tool-errors')).toBeCloseTo(11 / 21)
    await engine.ask('TRUNCATE TABLE claude_session_facts')
    await engine.ask(
      "INSERT INTO otel_logs (Timestamp, LogAttributes) VALUES (now64(9) - 3600, {'session.id': 'quiet'})",
    )
    expect(await value('silent')).toBe(1)
  })
})

describe('Grafana’s files', () => {
  const settings = { ...readStackSettings(''), withLoki: true, withGrafana: true }
  const rendered = [...renderDashboards(settings)].map(([name, text]) => [name, JSON.parse(text)] as const)

  test('name data sources that there are, and nothing twice', () => {
    const { datasources } = describeDataSources(settings) as { datasources: { uid: string; type: string }[] }
    const sources = datasources.map(({ uid, type }) => JSON.stringify({ type, uid }))
    expect(datasources.map(({ uid }) => uid)).toEqual(Object.values(dataSourceIds))
    for (const [, { panels }] of rendered) {
      for (const { datasource, targets } of panels) {
        expect(sources).toContain(JSON.stringify(datasource))
        expect(targets[0].datasource).toEqual(datasource)
      }
      const ids = panels.map(({ id }: { id: number }) => id)
      expect(new Set(ids).size).toBe(ids.length)
    }
    expect(new Set(rendered.map(([, { uid }]) => uid)).size).toBe(dashboards.length)
    const { groups } = describeAlerts() as { groups: { rules: { uid: string }[] }[] }
    expect(groups.flatMap(({ rules }) => rules).length).toBe(3)
  })

  test('ask as the panel shows it: a series over time, log records, else a table', () => {
    const formats = { timeseries: ['timeseries', 0], logs: ['logs', 2] }
    for (const [, { panels }] of rendered)
      for (const { type, targets } of panels) {
        if (targets[0].rawSql === undefined) continue
        const asked = [targets[0].queryType, targets[0].format]
        expect({ type, asked }).toEqual({ type, asked: formats[type as keyof typeof formats] ?? ['table', 1] })
      }
  })

  test('lay panels beside and below each other, and none over another', () => {
    for (const [name, { panels }] of rendered) {
      const taken = new Set<string>()
      for (const { gridPos } of panels) {
        expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            expect({ name, isTaken: taken.has(`${x} ${y}`) }).toEqual({ name, isTaken: false })
            taken.add(`${x} ${y}`)
          }
      }
    }
  })

  test('do without Loki where there is none', () => {
    const without = [...renderDashboards({ ...settings, withLoki: false }).values()].join('')
    expect(without).not.toContain(dataSourceIds.loki)
    expect(JSON.stringify(describeDataSources({ ...settings, withLoki: false }))).not.toContain('loki')
  })
})
