/** The compose file, read by Docker's own compose without a daemon. */
import { afterAll, describe, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { goProgram } from '../../scripts/go-programs.ts'
import { initStack, openStack } from '../../src/stack/folder.ts'
import { temporaryFolder } from './kit.ts'

const folder = temporaryFolder()
afterAll(() => folder.remove())

interface Services {
  readonly services: Readonly<
    Record<string, { readonly ports?: readonly { readonly host_ip: string; readonly published: string }[] }>
  >
}

async function config(
  dir: string,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const compose = (await goProgram('docker-compose')) ?? ''
  const command = [compose, '-f', 'docker-compose.yml', 'config', '--format=json']
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: dir, env: { HOME: folder.path } })
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() }
}

describe.each([
  ['plain', {}, ['clickhouse', 'collector']],
  ['with Loki', { withLoki: true }, ['clickhouse', 'collector', 'loki']],
  ['with Grafana', { withGrafana: true }, ['clickhouse', 'collector', 'grafana']],
  ['with both', { withLoki: true, withGrafana: true }, ['clickhouse', 'collector', 'grafana', 'loki']],
])('A stack %s', (name, parts, services) => {
  const dir = join(folder.path, name)

  test('is what docker compose understands: each part, at loopback alone, at the ports of .env', async () => {
    initStack(dir, { ...parts, force: false, dryRun: false, nowMs: 0 })
    const { code, stdout, stderr } = await config(dir)
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const read: Services = JSON.parse(stdout)
    expect(
      Object.keys(read.services)
        .filter((each) => each !== 'volumes')
        .toSorted(),
    ).toEqual(services)
    const published = Object.values(read.services).flatMap(({ ports = [] }) => ports)
    expect(new Set(published.map(({ host_ip }) => host_ip))).toEqual(new Set(['127.0.0.1']))
    const ports = Object.values(openStack(dir).ports).map(String)
    for (const port of published) expect(ports).toContain(port.published)
  })

  test('does not start without its passwords', async () => {
    rmSync(join(dir, '.env'))
    const { code, stderr } = await config(dir)
    expect(code).not.toBe(0)
    expect(stderr).toContain('see .env')
  })
})
