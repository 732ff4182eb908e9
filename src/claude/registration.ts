/**
 * How a wrapped claude learns of our hooks, without any file of the user's being touched: by our plugin folder, or, where a
 * plugin would show in claude's output, merged into the settings that the user gave on the command line. What that takes is
 * loaded only when it has to be written: the plugin folder of this executable usually lies there already.
 */
import { join } from 'node:path'
import { version } from '../base/version.ts'
import { optionValue } from './arguments.ts'

export interface RegistrationOptions {
  /** Claude's arguments as the user gave them. */
  readonly args: readonly string[]
  readonly plugin: string
  readonly executable: string
  /** The run's folder. */
  readonly folder: string
}

/** Claude's arguments with our hooks in them; whatever files they name are written. */
export async function registerHooks({
  args,
  plugin,
  executable,
  folder,
}: RegistrationOptions): Promise<readonly string[]> {
  if (optionValue(args, '--output-format') === 'stream-json') {
    return (await import('./settings-merge.ts')).registerBySettings(args, executable, folder)
  }
  if (Bun.file(pluginMark(plugin, executable)).size === 0) {
    const { ensurePlugin } = await import('./plugin.ts')
    ensurePlugin(plugin, executable)
  }
  return ['--plugin-dir', plugin, ...args]
}

/** A file in the plugin folder that says that it was written by this version for this executable. */
export function pluginMark(plugin: string, executable: string): string {
  return join(plugin, `.written-${Bun.hash(`${version} ${executable}`).toString(36)}`)
}
