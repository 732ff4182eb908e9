/** What Grafana is given: its data sources, where its dashboards are, and the alerts. */
import { alertRules, type Dashboard, dashboards, type Panel, type Query } from './dashboards.ts'
import type { StackSettings } from './settings.ts'

/** Dashboards name them. */
export const dataSourceIds = { clickhouse: 'claude-otel-clickhouse', loki: 'claude-otel-loki' } as const

const clickhouseType = 'grafana-clickhouse-datasource'
/** Grafana counts 24 columns and rows of 30 pixels. */
const gridColumns = 24
const schemaVersion = 42

export function describeDataSources({ withLoki }: StackSettings): object {
  const clickhouse = {
    name: 'claude-otel ClickHouse',
    uid: dataSourceIds.clickhouse,
    type: clickhouseType,
    access: 'proxy',
    isDefault: true,
    jsonData: {
      host: 'clickhouse',
      port: 9000,
      protocol: 'native',
      username: 'reader',
      defaultDatabase: 'otel',
      logs: { defaultDatabase: 'otel', defaultTable: 'otel_logs', otelEnabled: true },
      traces: { defaultDatabase: 'otel', defaultTable: 'otel_traces', otelEnabled: true },
    },
    secureJsonData: { password: '$CLICKHOUSE_READER_PASSWORD' },
  }
  const loki = {
    name: 'claude-otel Loki',
    uid: dataSourceIds.loki,
    type: 'loki',
    access: 'proxy',
    url: 'http://loki:3100',
    jsonData: { maxLines: 1000 },
  }
  return { apiVersion: 1, datasources: [clickhouse, ...(withLoki ? [loki] : [])] }
}

export const dashboardProvider = {
  apiVersion: 1,
  providers: [
    {
      name: 'claude-otel',
      folder: 'claude-otel',
      type: 'file',
      allowUiUpdates: false,
      options: { path: '/etc/grafana/claude-otel' },
    },
  ],
}

/** The dashboards by their file's name, as Grafana reads them. */
export function renderDashboards({ withLoki }: StackSettings): ReadonlyMap<string, string> {
  const shown = dashboards.map((each) => ({
    ...each,
    panels: each.panels.filter(({ query }) => withLoki || query.source !== 'loki'),
  }))
  return new Map(shown.map((each) => [`${each.id}.json`, `${JSON.stringify(describeDashboard(each), undefined, 2)}\n`]))
}

function describeDashboard({ id, title, panels }: Dashboard): object {
  return {
    uid: `claude-otel-${id}`,
    title,
    tags: ['claude-otel'],
    schemaVersion,
    version: 1,
    editable: true,
    refresh: '30s',
    time: { from: 'now-7d', to: 'now' },
    panels: place(panels),
  }
}

/** All else is as Grafana has it of itself. */
const logOptions = { showTime: true, wrapLogMessage: true, enableLogDetails: true, sortOrder: 'Descending' }

/** From left to right, and down when a row is full. */
function place(panels: readonly Panel[]): object[] {
  let [x, y, rowHeight] = [0, 0, 0]
  return panels.map((panel, index) => {
    if (x + panel.width > gridColumns) [x, y, rowHeight] = [0, y + rowHeight, 0]
    const gridPos = { x, y, w: panel.width, h: panel.height }
    x += panel.width
    rowHeight = Math.max(rowHeight, panel.height)
    return {
      id: index + 1,
      type: panel.type,
      title: panel.title,
      gridPos,
      datasource: dataSource(panel.query),
      fieldConfig: { defaults: panel.unit === undefined ? {} : { unit: panel.unit }, overrides: [] },
      options: panel.type === 'logs' ? logOptions : {},
      targets: [describeTarget(panel.query, panel.type)],
    }
  })
}

function dataSource({ source }: Query): object {
  return { type: source === 'loki' ? 'loki' : clickhouseType, uid: dataSourceIds[source] }
}

/** The plugin's own numbers. */
const formats = { timeseries: 0, table: 1, logs: 2 } as const

function describeTarget(query: Query, panelType: string): object {
  if (query.source === 'loki')
    return { refId: 'A', datasource: dataSource(query), expr: query.text, queryType: 'range' }
  const queryType = panelType === 'timeseries' || panelType === 'logs' ? panelType : 'table'
  return {
    refId: 'A',
    datasource: dataSource(query),
    editorType: 'sql',
    rawSql: query.text,
    queryType,
    format: formats[queryType],
  }
}

/** Each asks ClickHouse for one number and compares it. */
export function describeAlerts(): object {
  return {
    apiVersion: 1,
    groups: [
      { orgId: 1, name: 'claude-otel', folder: 'claude-otel', interval: '5m', rules: alertRules.map(describeAlert) },
    ],
  }
}

function describeAlert({ id, title, summary, query, above, pendingFor }: (typeof alertRules)[number]): object {
  const expression = { type: '__expr__', uid: '__expr__' }
  const range = { from: 86_400, to: 0 }
  return {
    uid: `claude-otel-${id}`,
    title,
    condition: 'C',
    for: pendingFor,
    noDataState: 'OK',
    execErrState: 'Error',
    annotations: { summary },
    data: [
      {
        refId: 'A',
        datasourceUid: dataSourceIds.clickhouse,
        relativeTimeRange: range,
        model: { refId: 'A', editorType: 'sql', rawSql: query, queryType: 'table', format: formats.table },
      },
      {
        refId: 'C',
        datasourceUid: '__expr__',
        relativeTimeRange: range,
        model: {
          refId: 'C',
          type: 'threshold',
          datasource: expression,
          expression: 'A',
          conditions: [{ evaluator: { type: 'gt', params: [above] } }],
        },
      },
    ],
  }
}
