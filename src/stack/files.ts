/** All files of a stack, from its settings. Pure but for the secrets that new settings bring. */
import { clickhouseConfig, clickhouseUsers, renderInit } from './clickhouse.ts'
import { describeCollector } from './collector.ts'
import { describeCompose } from './compose.ts'
import { renderPowerShellEnv, renderShellEnv } from './env-files.ts'
import { dashboardProvider, describeAlerts, describeDataSources, renderDashboards } from './grafana.ts'
import { describeLoki } from './loki.ts'
import { renderStackSettings, type StackSettings } from './settings.ts'

export interface StackFile {
  /** Below the stack's folder, with `/`. */
  readonly path: string
  readonly text: string
  /** For its owner alone. */
  readonly isSecret?: boolean
}

export const settingsFile = '.env'

/** `.env`, which is the settings themselves, comes first. */
export function renderStack(settings: StackSettings): readonly StackFile[] {
  const { withLoki, withGrafana } = settings
  return [
    { path: settingsFile, text: renderStackSettings(settings), isSecret: true },
    yaml('docker-compose.yml', 'Which containers there are', describeCompose(settings)),
    yaml('collector.yaml', 'The OpenTelemetry Collector', describeCollector(settings)),
    { path: 'clickhouse-init.sql', text: renderInit(settings.keptDays) },
    { path: 'clickhouse-users.xml', text: clickhouseUsers },
    { path: 'clickhouse-config.xml', text: clickhouseConfig },
    { path: 'telemetry-env.sh', text: renderShellEnv(settings), isSecret: true },
    { path: 'telemetry-env.ps1', text: renderPowerShellEnv(settings), isSecret: true },
    ...(withLoki ? [yaml('loki.yaml', 'Loki', describeLoki(settings))] : []),
    ...(withGrafana ? grafanaFiles(settings) : []),
  ]
}

function grafanaFiles(settings: StackSettings): StackFile[] {
  const provisioning = 'grafana/provisioning'
  return [
    yaml(`${provisioning}/datasources/claude-otel.yaml`, 'Where Grafana reads', describeDataSources(settings)),
    yaml(`${provisioning}/dashboards/claude-otel.yaml`, 'Where Grafana’s dashboards are', dashboardProvider),
    yaml(`${provisioning}/alerting/claude-otel.yaml`, 'What Grafana warns of', describeAlerts()),
    ...[...renderDashboards(settings)].map(([name, text]) => ({ path: `grafana/dashboards/${name}`, text })),
  ]
}

function yaml(path: string, title: string, data: object): StackFile {
  const head = `# ${title}: written by \`claude-otel stack init\`. What you change here stays.\n`
  // What is named twice in our data is written twice: people read it.
  const tree = JSON.parse(JSON.stringify(data))
  return { path, text: `${head}${Bun.YAML.stringify(tree, null, 2)}\n` }
}
