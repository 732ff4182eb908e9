/** Grafana's files against what Grafana itself publishes of their shape. */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { join } from 'node:path'
import { schemaModules } from '../../scripts/schemas.ts'
import { renderStack } from '../../src/stack/files.ts'
import { versionOf } from '../../src/stack/images.ts'
import { complaintsOf, type Literal } from './grafana-types.ts'
import { settingsFor, temporaryFolder } from './kit.ts'

let folder: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder.remove())

const files = new Map(
  renderStack(settingsFor({ withLoki: true, withGrafana: true })).map(({ path, text }) => [path, text]),
)
const yaml = (kind: string) => Bun.YAML.parse(files.get(`grafana/provisioning/${kind}/claude-otel.yaml`) ?? '')

/** As they are written to disk. */
function literals(): readonly Literal[] {
  const boards = [...files].filter(([path]) => path.startsWith('grafana/dashboards/'))
  expect(boards.length).toBe(5)
  return [
    { type: 'Dashboards', data: Object.fromEntries(boards.map(([path, text]) => [path, JSON.parse(text)])) },
    { type: 'Alerts', data: yaml('alerting') },
    { type: 'DataSources', data: yaml('datasources') },
  ]
}

test('Dashboards, alerts and data sources are what Grafana’s own types say they are', async () => {
  expect(await complaintsOf(folder.path, literals())).toEqual([])
}, 60_000)

test('What these types do not know is found: of a dashboard, a panel, its options, a query, an alert, a data source', async () => {
  const wrong: readonly (readonly [string, string])[] = [
    ['"schemaVersion"', '"schemaVersoin"'],
    ['"gridPos"', '"gridpos"'],
    ['"type":"stat"', '"type":"statistic"'],
    ['"sortOrder":"Descending"', '"sortOrder":"Downwards"'],
    ['"rawSql"', '"sql"'],
    ['"noDataState":"OK"', '"noDataState":"Fine"'],
    ['"type":"gt"', '"type":"above"'],
    ['"protocol":"native"', '"protocol":"tcp"'],
  ]
  const [whole] = [JSON.stringify(literals())]
  const changed = wrong.flatMap(([from, to]) => {
    expect(whole).toContain(from)
    const all: readonly Literal[] = JSON.parse(whole.replace(from, to))
    return all.filter((literal, at) => JSON.stringify(literal) !== JSON.stringify(literals()[at]))
  })
  expect(changed.length).toBe(wrong.length)
  const complaints = await complaintsOf(folder.path, changed)
  const lines = (await Bun.file(join(folder.path, 'literals.ts')).text()).split('\n')
  const begins = lines.flatMap((line, at) => (line.startsWith('export const') ? [at + 1] : []))
  const found = complaints.flatMap((each) => Number(/^\S*literals\.ts\((\d+),/.exec(each)?.[1] ?? 0))
  const blamed = found.map((line) => begins.findLastIndex((begin) => begin <= line))
  expect([...new Set(blamed.filter((at) => at >= 0))].toSorted()).toEqual(wrong.map((_, at) => at))
}, 60_000)

test('The schema is that of the image’s version, and the dashboards are of its newest form', async () => {
  const home = join(await schemaModules(), '@grafana/schema')
  const { version }: { version: string } = await Bun.file(join(home, 'package.json')).json()
  expect(versionOf('grafana')).toBe(version)
  const { defaultDashboard }: { defaultDashboard: { schemaVersion: number } } = await import(
    join(home, 'dist/esm/index.mjs')
  )
  for (const [path, text] of files)
    if (path.startsWith('grafana/dashboards/'))
      expect(JSON.parse(text).schemaVersion).toBe(defaultDashboard.schemaVersion)
})
