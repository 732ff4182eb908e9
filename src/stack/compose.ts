/** `docker-compose.yml`: which containers there are, what they see, who waits for whom. */
import { grafanaPlugins, images } from './images.ts'
import type { StackSettings } from './settings.ts'

/** As plain data; ports and secrets come from `.env`, by name. */
export function describeCompose({ withLoki, withGrafana }: StackSettings): object {
  return {
    name: 'claude-otel',
    services: {
      clickhouse,
      volumes,
      collector: collector(withLoki),
      ...(withLoki ? { loki } : {}),
      ...(withGrafana ? { grafana: grafana(withLoki) } : {}),
    },
    volumes: {
      'clickhouse-data': {},
      'collector-data': {},
      ...(withLoki ? { 'loki-data': {} } : {}),
      ...(withGrafana ? { 'grafana-data': {} } : {}),
    },
  }
}

/** The user that the images of the Collector and of Loki run as. */
const unprivileged = '10001:10001'

const common = {
  restart: 'unless-stopped',
  logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } },
}

/** Only this machine reaches it. */
function publish(variable: string, inside: number): string {
  return `127.0.0.1:\${${variable}:?see .env}:${inside}`
}

/** A stack without its secrets does not start. */
function secret(name: string): string {
  return `\${${name}:?see .env}`
}

const clickhouse = {
  ...common,
  image: images.clickhouse,
  environment: {
    // Users come from clickhouse-users.xml; these are whom the first start runs clickhouse-init.sql as.
    CLICKHOUSE_SKIP_USER_SETUP: '1',
    CLICKHOUSE_USER: 'otel',
    CLICKHOUSE_PASSWORD: secret('CLICKHOUSE_PASSWORD'),
    CLICKHOUSE_READER_PASSWORD: secret('CLICKHOUSE_READER_PASSWORD'),
  },
  ports: [publish('CLICKHOUSE_HTTP_PORT', 8123), publish('CLICKHOUSE_NATIVE_PORT', 9000)],
  volumes: [
    'clickhouse-data:/var/lib/clickhouse',
    './clickhouse-users.xml:/etc/clickhouse-server/users.d/claude-otel.xml:ro',
    './clickhouse-config.xml:/etc/clickhouse-server/config.d/claude-otel.xml:ro',
    './clickhouse-init.sql:/docker-entrypoint-initdb.d/claude-otel.sql:ro',
  ],
  ulimits: { nofile: { soft: 262144, hard: 262144 } },
  mem_limit: '4g',
  healthcheck: {
    test: ['CMD', 'wget', '--spider', '-q', 'http://127.0.0.1:8123/ping'],
    interval: '3s',
    timeout: '5s',
    retries: 40,
  },
}

/** Volumes belong to root at first, and the image of the Collector has no shell that could give them away. */
const volumes = {
  image: images.clickhouse,
  entrypoint: ['chown', unprivileged, '/collector'],
  user: '0:0',
  network_mode: 'none',
  volumes: ['collector-data:/collector'],
}

function collector(withLoki: boolean): object {
  return {
    ...common,
    image: images.collector,
    user: unprivileged,
    environment: {
      CLICKHOUSE_PASSWORD: secret('CLICKHOUSE_PASSWORD'),
      OTLP_TOKEN: secret('OTLP_TOKEN'),
      GOMEMLIMIT: '800MiB',
    },
    ports: [
      publish('OTLP_GRPC_PORT', 4317),
      publish('OTLP_HTTP_PORT', 4318),
      // No program in the image could ask: `claude-otel stack up` does, from here.
      publish('COLLECTOR_HEALTH_PORT', 13133),
    ],
    volumes: ['collector-data:/var/lib/otelcol', './collector.yaml:/etc/otelcol-contrib/config.yaml:ro'],
    mem_limit: '1g',
    depends_on: {
      clickhouse: { condition: 'service_healthy' },
      volumes: { condition: 'service_completed_successfully' },
      ...(withLoki ? { loki: { condition: 'service_healthy' } } : {}),
    },
  }
}

const loki = {
  ...common,
  image: images.loki,
  command: ['-config.file=/etc/loki/claude-otel.yaml'],
  ports: [publish('LOKI_PORT', 3100)],
  volumes: ['loki-data:/loki', './loki.yaml:/etc/loki/claude-otel.yaml:ro'],
  mem_limit: '1g',
  // The image has no shell; the program asks itself.
  healthcheck: {
    test: ['CMD', '/usr/bin/loki', '-health'],
    interval: '5s',
    timeout: '5s',
    retries: 40,
    start_period: '15s',
  },
}

function grafana(withLoki: boolean): object {
  return {
    ...common,
    image: images.grafana,
    environment: {
      GF_SECURITY_ADMIN_USER: 'admin',
      GF_SECURITY_ADMIN_PASSWORD: secret('GRAFANA_PASSWORD'),
      GF_AUTH_ANONYMOUS_ENABLED: 'false',
      GF_USERS_ALLOW_SIGN_UP: 'false',
      GF_ANALYTICS_REPORTING_ENABLED: 'false',
      GF_ANALYTICS_CHECK_FOR_UPDATES: 'false',
      GF_PLUGINS_PREINSTALL_SYNC: grafanaPlugins.join(','),
      CLICKHOUSE_READER_PASSWORD: secret('CLICKHOUSE_READER_PASSWORD'),
    },
    ports: [publish('GRAFANA_PORT', 3000)],
    volumes: [
      'grafana-data:/var/lib/grafana',
      './grafana/provisioning:/etc/grafana/provisioning:ro',
      './grafana/dashboards:/etc/grafana/claude-otel:ro',
    ],
    mem_limit: '1g',
    healthcheck: {
      test: ['CMD', 'wget', '--spider', '-q', 'http://127.0.0.1:3000/api/health'],
      interval: '5s',
      timeout: '5s',
      retries: 60,
    },
    depends_on: {
      clickhouse: { condition: 'service_healthy' },
      ...(withLoki ? { loki: { condition: 'service_healthy' } } : {}),
    },
  }
}
