/** Whether Claude Code's settings already say where its own telemetry goes: the user's, the project's, the organization's. */
import { join } from 'node:path'
import { optionValue } from './arguments.ts'
import { claudeFolder, editableScopes, managedFolder, settingsPath } from './settings-places.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** As a word of JSON. What only says how much is told (`OTEL_LOG_USER_PROMPTS`) is not meant. */
const mention =
  /"(?:CLAUDE_CODE_ENABLE_TELEMETRY|OTEL_(?:METRICS|LOGS|TRACES)_EXPORTER|OTEL_EXPORTER_OTLP_\w+|otelHeadersHelper)"/

/**
 * What settings say of variables is stronger than the environment, and it is said for another receiver: mixed with ours, that one
 * would get the hub's token, and telemetry of a kind and pace that it was not set up for. Looked at before claude starts, so
 * without `node:fs`.
 */
export async function settingsTellOfTelemetry(
  args: readonly string[],
  env: Environment,
  cwd: string,
): Promise<boolean> {
  const folder = claudeFolder(env)
  const managed = managedFolder()
  const given = ['--settings', '--managed-settings'].flatMap((name) => optionValue(args, name) ?? [])
  const files = [
    join(managed, 'managed-settings.json'),
    ...managedParts(join(managed, 'managed-settings.d')),
    ...(folder === undefined ? [] : [join(folder, 'remote-settings.json')]),
    ...editableScopes.flatMap((scope) => settingsPath(scope, { env, cwd }) ?? []),
    ...given.filter((each) => !isJson(each)),
  ]
  const texts = await Promise.all(files.map(read))
  return [...given.filter(isJson), ...texts].some((text) => mention.test(text))
}

function managedParts(folder: string): readonly string[] {
  if (Bun.file(folder).size === 0) return []
  try {
    return [...new Bun.Glob('*.json').scanSync({ cwd: folder, absolute: true })]
  } catch {
    return []
  }
}

function isJson(given: string): boolean {
  return given.trimStart().startsWith('{')
}

/** To ask for the size is cheap, and most of these files are not there. */
async function read(path: string): Promise<string> {
  const file = Bun.file(path)
  return file.size === 0 ? '' : file.text().catch(() => '')
}
