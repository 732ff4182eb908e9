/**
 * What stands where Docker would: a program `docker` for PATH, and behind it this process, which starts the real parts as a container
 * would be started, from the files in the stack's folder, at the ports that they publish. What it cannot be is a container: images,
 * mounts, users and limits of memory are only read by Docker's compose (compose.test.ts).
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { collectorBinary } from '../../scripts/collector.ts'
import { goProgram } from '../../scripts/go-programs.ts'
import { openStack } from '../../src/stack/folder.ts'
import type { StackSettings } from '../../src/stack/settings.ts'
import { ask, freePorts, spawnEngine } from './kit.ts'
import { statementsOf } from './statements.ts'

export interface Daemon {
  /** A folder for PATH. */
  readonly path: string
  /** What it was asked for, without where the stack is. */
  readonly asked: string[]
  /** Services that are not started when they are asked for; what they say instead. */
  readonly broken: Map<string, string>
  /** The process of a service that runs. */
  process(service: string): Bun.Subprocess | undefined
  stop(): Promise<void>
}

interface Answer {
  readonly code: number
  readonly text: string
}

/** `folder` is for its own things: data of the volumes, logs. */
export function startDaemon(folder: string): Daemon {
  const running = new Map<string, Bun.Subprocess>()
  const broken = new Map<string, string>()
  const asked: string[] = []
  const host = new Host(folder, running, broken)
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { cwd: stack, args } = (await request.json()) as { cwd: string; args: readonly string[] }
      if (args[0] === 'info' || args[1] === 'version') return Response.json({ code: 0, text: '' } satisfies Answer)
      // compose -f docker-compose.yml
      const [action = '', ...rest] = args.slice(3)
      asked.push([action, ...rest].join(' '))
      const answer = await host
        .answer(stack, action, rest)
        .catch((error: unknown): Answer => ({ code: 1, text: String(error) }))
      return Response.json(answer)
    },
  })
  const path = join(folder, 'bin')
  mkdirSync(path, { recursive: true })
  const client = `const r = await fetch('http://127.0.0.1:${server.port}', { method: 'POST', body: JSON.stringify({ cwd: process.cwd(), args: process.argv.slice(1) }) })
const { code, text } = await r.json(); process.stdout.write(text); process.exit(code)`
  writeFileSync(join(folder, 'client.js'), client)
  writeFileSync(
    join(path, 'docker'),
    `#!/bin/sh\nexec ${process.execPath} -e "$(cat ${join(folder, 'client.js')})" -- "$@"\n`,
  )
  chmodSync(join(path, 'docker'), 0o755)
  return {
    path,
    asked,
    broken,
    process: (service) => running.get(service),
    stop: async () => {
      await host.down()
      await server.stop(true)
    },
  }
}

class Host {
  constructor(
    private readonly folder: string,
    private readonly running: Map<string, Bun.Subprocess>,
    private readonly broken: ReadonlyMap<string, string>,
  ) {}

  async answer(stack: string, action: string, rest: readonly string[]): Promise<Answer> {
    switch (action) {
      case 'up':
        return { code: 0, text: await this.up(stack) }
      case 'down':
        return { code: 0, text: await this.down() }
      case 'ps':
        return { code: 0, text: [...this.running.values()].map(({ pid }) => `${pid}\n`).join('') }
      case 'logs':
        return {
          code: 0,
          text: rest
            .filter((word) => !word.startsWith('-'))
            .map((name) => this.log(name))
            .join(''),
        }
      default:
        return { code: 1, text: `what is ${action}?\n` }
    }
  }

  /** In the order in which the compose file has them wait for each other. */
  private async up(stack: string): Promise<string> {
    const { services } = Bun.YAML.parse(readFileSync(join(stack, 'docker-compose.yml'), 'utf8')) as { services: object }
    const settings = openStack(stack)
    for (const service of ['clickhouse', 'loki', 'collector']) {
      if (!(service in services) || this.running.has(service) || this.broken.has(service)) continue
      this.running.set(service, await this.start(service, stack, settings))
    }
    return 'Started\n'
  }

  async down(): Promise<string> {
    for (const child of [...this.running.values()].toReversed()) {
      child.kill('SIGTERM')
      await child.exited
    }
    this.running.clear()
    return 'Removed\n'
  }

  private log(service: string): string {
    const path = join(this.folder, `${service}.log`)
    return this.broken.get(service) ?? (existsSync(path) ? readFileSync(path, 'utf8') : '')
  }

  private start(service: string, stack: string, settings: StackSettings): Promise<Bun.Subprocess> {
    if (service === 'clickhouse') return this.startClickHouse(stack, settings)
    return service === 'loki' ? this.startLoki(stack, settings) : this.startCollector(stack, settings)
  }

  /** As the image does: what is in its folder for a first start runs at the first start. */
  private async startClickHouse(stack: string, { ports, secrets }: StackSettings): Promise<Bun.Subprocess> {
    const data = join(this.folder, 'clickhouse')
    const isFirst = !existsSync(data)
    mkdirSync(data, { recursive: true })
    const { child, place } = await spawnEngine(data, ports.clickhouseHttp, secrets.clickhouse)
    if (isFirst)
      for (const statement of statementsOf(readFileSync(join(stack, 'clickhouse-init.sql'), 'utf8')))
        if (!statement.startsWith('USE ')) await ask(place, statement)
    return child
  }

  private async startCollector(stack: string, { ports, secrets }: StackSettings): Promise<Bun.Subprocess> {
    const data = join(this.folder, 'collector')
    mkdirSync(data, { recursive: true })
    const config = this.moved(stack, 'collector.yaml', [
      ['0.0.0.0:4317', `127.0.0.1:${ports.otlpGrpc}`],
      ['0.0.0.0:4318', `127.0.0.1:${ports.otlpHttp}`],
      ['0.0.0.0:13133', `127.0.0.1:${ports.health}`],
      // The engine speaks HTTP alone.
      ['tcp://clickhouse:9000?dial_timeout=10s', `http://127.0.0.1:${ports.clickhouseHttp}?compress=none`],
      ...(existsSync(join(stack, 'loki.yaml'))
        ? ([['http://loki:3100', `http://127.0.0.1:${ports.loki}`]] as const)
        : []),
      ['/var/lib/otelcol', data],
    ])
    return this.spawn('collector', [(await collectorBinary()) ?? '', `--config=${config}`], {
      OTLP_TOKEN: secrets.otlpToken,
      CLICKHOUSE_PASSWORD: secrets.clickhouse,
    })
  }

  private async startLoki(stack: string, { ports }: StackSettings): Promise<Bun.Subprocess> {
    const [grpcPort] = freePorts(1)
    const config = this.moved(stack, 'loki.yaml', [
      ['http_listen_address: 0.0.0.0', 'http_listen_address: 127.0.0.1'],
      ['http_listen_port: 3100', `http_listen_port: ${ports.loki}`],
      ['grpc_listen_port: 9096', `grpc_listen_port: ${grpcPort}`],
      ['/loki', join(this.folder, 'loki')],
    ])
    return this.spawn('loki', [(await goProgram('loki')) ?? '', `-config.file=${config}`])
  }

  /** A file of the stack with the places of this machine for those in a container; each has to be there. */
  private moved(stack: string, name: string, places: readonly (readonly [string, string])[]): string {
    const text = readFileSync(join(stack, name), 'utf8')
    const changed = places.reduce((current, [from, to]) => {
      if (!current.includes(from)) throw new Error(`${name} says nothing of ${from}`)
      return current.replaceAll(from, to)
    }, text)
    const path = join(this.folder, name)
    writeFileSync(path, changed)
    return path
  }

  private spawn(service: string, command: string[], env: Readonly<Record<string, string>> = {}): Bun.Subprocess {
    const log = Bun.file(join(this.folder, `${service}.log`))
    return Bun.spawn(command, { env: { ...process.env, ...env }, stdin: 'ignore', stdout: log, stderr: log })
  }
}
