/** What ClickHouse's container is given: its users, its bounds, and the schema for its first start. */
import {
  agingStatements,
  clickhouseMigrations,
  type KeptDays,
  rememberVersion,
  schemaTable,
} from '../store/clickhouse-schema.ts'

/** Nobody but these two; neither has a password in this file. */
export const clickhouseUsers = `<clickhouse>
  <profiles>
    <default>
      <do_not_merge_across_partitions_select_final>1</do_not_merge_across_partitions_select_final>
    </default>
    <claude_otel_reader>
      <profile>default</profile>
      <readonly>2</readonly>
      <max_execution_time>60</max_execution_time>
      <max_result_rows>1000000</max_result_rows>
      <max_memory_usage>2000000000</max_memory_usage>
    </claude_otel_reader>
  </profiles>
  <users>
    <default remove="remove"/>
    <otel>
      <password from_env="CLICKHOUSE_PASSWORD"/>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT ALL ON otel.*</query>
        <query>GRANT SELECT ON system.*</query>
      </grants>
    </otel>
    <reader>
      <password from_env="CLICKHOUSE_READER_PASSWORD"/>
      <networks><ip>::/0</ip></networks>
      <profile>claude_otel_reader</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SELECT ON otel.*</query>
        <query>GRANT SELECT ON system.*</query>
      </grants>
    </reader>
  </users>
</clickhouse>
`

/** ClickHouse's own logs would outgrow everything else. */
const ownLogs = ['query_log', 'query_thread_log', 'part_log', 'text_log', 'trace_log', 'metric_log']
const unwantedLogs = ['asynchronous_metric_log', 'processors_profile_log', 'query_metric_log', 'latency_log']

export const clickhouseConfig = `<clickhouse>
  <listen_host>0.0.0.0</listen_host>
  <logger><level>warning</level><console>1</console></logger>
  <max_server_memory_usage_to_ram_ratio>0.8</max_server_memory_usage_to_ram_ratio>
  <mark_cache_size>268435456</mark_cache_size>
${ownLogs.map((name) => `  <${name}><ttl>event_date + INTERVAL 7 DAY DELETE</ttl></${name}>`).join('\n')}
${unwantedLogs.map((name) => `  <${name} remove="remove"/>`).join('\n')}
</clickhouse>
`

/** `clickhouse-init.sql`: everything that an empty ClickHouse needs. Statements can be run again and change nothing then. */
export function renderInit(kept: KeptDays): string {
  const statements = [
    'CREATE DATABASE IF NOT EXISTS otel',
    'USE otel',
    schemaTable,
    ...clickhouseMigrations.flat(),
    ...agingStatements(kept),
    rememberVersion(clickhouseMigrations.length),
  ]
  return `-- The schema of claude-otel, version ${clickhouseMigrations.length}: run once, on an empty ClickHouse.\n-- \`claude-otel stack up\` brings one that is there already up to date.\n${statements.map((each) => `\n${each};\n`).join('')}`
}
