/** `telemetry-env.sh` and `telemetry-env.ps1`: what makes Claude Code, and claude-otel around it, send to this stack. */
import { renderVariables } from '../base/shells.ts'
import { telemetryVariables } from '../claude/native-telemetry.ts'
import type { OtlpTarget } from '../config/config.ts'
import type { StackSettings } from './settings.ts'

/** Those of `claude-otel env`, and one more. */
export function stackVariables({ ports, secrets }: StackSettings): Readonly<Record<string, string>> {
  const target: OtlpTarget = {
    protocol: 'grpc',
    url: `http://127.0.0.1:${ports.otlpGrpc}`,
    headers: { Authorization: `Bearer ${secrets.otlpToken}` },
    compression: 'none',
    timeoutMs: 10_000,
    tls: {},
  }
  return {
    ...telemetryVariables({ logs: target, metrics: target }),
    // Of claude-otel: Claude Code's own spans stay off, since ours say what they say.
    OTEL_TRACES_EXPORTER: 'otlp',
  }
}

export function renderShellEnv(settings: StackSettings): string {
  return `# For sh, bash and zsh: . this file\n${renderVariables('sh', stackVariables(settings))}`
}

export function renderPowerShellEnv(settings: StackSettings): string {
  return `# For PowerShell: . this file\n${renderVariables('powershell', stackVariables(settings))}`
}
