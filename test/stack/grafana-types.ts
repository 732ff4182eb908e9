/** What Grafana's compiler would say of our files: they are written down as literals of its published types and compiled. */
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { schemaModules } from '../../scripts/schemas.ts'

/** A constant for the compiler: of which type below, and what it is. */
export interface Literal {
  readonly type: 'Dashboards' | 'Alerts' | 'DataSources'
  readonly data: unknown
}

/**
 * Data have no enums, hence `Plain`. The two kinds of files that Grafana publishes no types of are those of `alerting` and `datasources`
 * under its provisioning: their names are its documentation's, what rules and queries consist of is typed.
 */
const types = `
import type { Dashboard, DataQuery, DataSourceRef, FieldConfigSource, Panel } from '@grafana/schema'
import type { Options as BarChart, FieldConfig as BarChartField } from '@grafana/schema/dist/esm/raw/composable/barchart/panelcfg/x/BarChartPanelCfg_types.gen'
import type { Options as BarGauge } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen'
import type { Options as Logs } from '@grafana/schema/dist/esm/raw/composable/logs/panelcfg/x/LogsPanelCfg_types.gen'
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen'
import type { Options as Table, FieldConfig as TableField } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen'
import type { Options as TimeSeries, FieldConfig as TimeSeriesField } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen'
import type { Rule } from '@grafana/grafana-foundation-sdk/alerting'
import type { TypeThreshold } from '@grafana/grafana-foundation-sdk/expr'
import type { dataquery as LokiFields } from '@grafana/grafana-foundation-sdk/loki'

type Plain<T> = T extends (...args: never[]) => unknown ? never
  : T extends string ? \`\${T}\`
  : T extends number | boolean | null | undefined ? T
  : T extends readonly (infer Item)[] ? Plain<Item>[]
  : { [Key in keyof T as Key extends '_implementsDataqueryVariant' ? never : Key]: Plain<T[Key]> }

/** As its plugin's query editor keeps it. */
interface ClickHouseQuery extends Pick<DataQuery, 'refId' | 'hide'> {
  datasource: { type: 'grafana-clickhouse-datasource'; uid: string }
  editorType: 'sql'
  rawSql: string
  queryType: 'table' | 'logs' | 'timeseries' | 'traces'
  format: 0 | 1 | 2 | 3
}
type LokiQuery = Plain<Omit<LokiFields, 'queryType' | 'datasource'>> & {
  queryType: 'range' | 'instant' | 'stream'
  datasource: { type: 'loki'; uid: string }
}

type Shown<Type extends string, Options, Field = {}> = Plain<
  Omit<Panel, 'type' | 'id' | 'gridPos' | 'targets' | 'datasource' | 'options' | 'fieldConfig'>
> & {
  type: Type
  id: number
  gridPos: Plain<NonNullable<Panel['gridPos']>>
  datasource: Required<Pick<DataSourceRef, 'type' | 'uid'>>
  targets: (ClickHouseQuery | LokiQuery)[]
  options: Plain<Partial<Options>>
  fieldConfig: Plain<Omit<FieldConfigSource, 'defaults'>> & {
    defaults: Plain<Omit<FieldConfigSource['defaults'], 'custom'>> & { custom?: Plain<Partial<Field>> }
  }
}

export type Dashboards = Record<string, Plain<Omit<Dashboard, 'panels'>> & {
  panels: (
    | Shown<'stat', Stat>
    | Shown<'timeseries', TimeSeries, TimeSeriesField>
    | Shown<'table', Table, TableField>
    | Shown<'logs', Logs>
    | Shown<'barchart', BarChart, BarChartField>
    | Shown<'bargauge', BarGauge>
  )[]
}>

interface AlertQuery<Model> {
  refId: string
  datasourceUid: string
  relativeTimeRange: { from: number; to: number }
  model: Model
}
export interface Alerts {
  apiVersion: 1
  groups: {
    orgId: number
    name: string
    folder: string
    interval: \`\${number}\${'s' | 'm' | 'h'}\`
    rules: (Plain<Omit<Rule, 'folderUID' | 'orgID' | 'ruleGroup' | 'data' | 'uid'>> & {
      uid: string
      data: (AlertQuery<Omit<ClickHouseQuery, 'datasource'>> | AlertQuery<Plain<TypeThreshold>>)[]
    })[]
  }[]
}

interface Source<Type extends string, Settings> {
  name: string
  uid: string
  type: Type
  access: 'proxy'
  url?: string
  isDefault?: boolean
  editable?: boolean
  jsonData: Settings
  secureJsonData?: Record<string, string>
}
interface Signals {
  defaultDatabase: string
  defaultTable: string
  otelEnabled: boolean
  otelVersion?: string
}
export interface DataSources {
  apiVersion: 1
  datasources: (
    | Source<'grafana-clickhouse-datasource', {
        host: string
        port: number
        protocol: 'native' | 'http'
        username: string
        defaultDatabase: string
        logs: Signals
        traces: Signals
      }>
    | Source<'loki', { maxLines?: number; derivedFields?: object[] }>
  )[]
}
`

const configuration = {
  compilerOptions: {
    ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: true },
    ...{ target: 'ESNext', module: 'Preserve', moduleResolution: 'bundler', types: [] },
  },
  files: ['literals.ts'],
}

/** What the compiler has against them, a line each; empty when nothing. `folder` is for this call alone. */
export async function complaintsOf(folder: string, literals: readonly Literal[]): Promise<readonly string[]> {
  await symlink(await schemaModules(), join(folder, 'node_modules'))
  await Bun.write(join(folder, 'types.ts'), types)
  const constants = literals.map(
    ({ type, data }, at) => `export const literal${at}: types.${type} = ${JSON.stringify(data, undefined, 1)}\n`,
  )
  await Bun.write(join(folder, 'literals.ts'), `import type * as types from './types'\n${constants.join('')}`)
  await Bun.write(join(folder, 'tsconfig.json'), JSON.stringify(configuration))
  const tsc = join(import.meta.dir, '../../node_modules/.bin/tsc')
  const { stdout, stderr } = Bun.spawnSync([tsc, '-p', folder, '--pretty', 'false'])
  return `${stdout}${stderr}`.split('\n').filter((line) => line !== '')
}
