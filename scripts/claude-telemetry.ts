/**
 * claude_telemetry, which the rich mode is measured beside: from PyPI, pinned with all that it needs, once into the user's cache.
 * Its Agent SDK brings a claude of its own, which is left out, so that it takes the one on the PATH, as we do.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cachedBuild, runIn } from './cache.ts'

const requirements = join(import.meta.dir, 'measure', 'claude-telemetry.txt')

/** How it is run: its Python and its module. Throws with what pip said when it cannot be had. */
export async function claudeTelemetryCommand(): Promise<string[]> {
  const home = await cachedBuild('claude-telemetry', [await readFile(requirements, 'utf8')], async (folder) => {
    console.error('Installing claude_telemetry (once, a minute) …')
    await runIn(folder, ['python3', '-m', 'venv', '.'])
    const python = join(folder, 'bin', 'python')
    await runIn(folder, [python, '-m', 'pip', 'install', '-q', '--no-deps', '-r', requirements])
    const code = 'import claude_agent_sdk, os; print(os.path.dirname(claude_agent_sdk.__file__))'
    const sdk = Bun.spawnSync([python, '-c', code]).stdout.toString().trim()
    await rm(join(sdk, '_bundled'), { recursive: true })
  })
  return [join(home, 'bin', 'python'), '-m', 'claude_telemetry.cli']
}
