/** `claude-otel pump <run folder>`: started by a hook that found nobody to empty the spool. Not for people. */

import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { createLog, noLog } from '../base/log.ts'
import { resolveStatePaths } from '../base/paths.ts'
import { readEnvironment } from '../config/environment.ts'
import { HubKeeper } from '../hub/keeper.ts'
import { isForHub } from '../hub/presence.ts'
import { configForRun, resolveSettings } from '../run/settings.ts'
import { createRunEntry } from '../session/begin.ts'
import { enforceBudget } from '../session/budget.ts'
import { isProcessAlive } from '../session/processes.ts'
import { type Exit, startPump } from '../session/pump.ts'
import { recoverRuns } from '../session/recover.ts'
import {
  claimRun,
  createRunFolder,
  discardRecords,
  discardRun,
  type RunFolder,
  readRunContext,
  releaseRun,
} from '../session/run.ts'
import { readSpool } from '../session/spool.ts'
import { defineOurCommand } from './command.ts'

/** A claude that nobody wrapped is looked after until it is gone. */
const pollMs = 250
/** Nobody waits for this process, so it can give a slow collector time. */
const deliveryMs = 30_000

export default defineOurCommand({
  meta: { name: 'pump', description: 'Empty the spool of a run until its claude has exited.', hidden: true },
  args: { run: { type: 'positional', description: 'The run’s folder.', required: true } },
  async run({ args, data }) {
    const env = readEnvironment()
    const paths = resolveStatePaths(env)
    const resolution = await resolveSettings(env, data)
    if (paths === undefined) return
    const folder = createRunFolder(args.run)
    if (!claimRun(folder)) return
    if (resolution.config.disabled) return discardWhileAlive(folder)
    const context = readRunContext(folder)
    const config = await configForRun(resolution, context)
    const entry = context?.entry ?? createRunEntry(config, crypto.randomUUID(), Date.now() * 1000)
    const log = config.debug ? createLog(paths.log) : noLog
    const pump = startPump({ folder, paths, config, entry, log })
    const { usesHub } = config
    const keepsHub = usesHub !== undefined && (await isForHub(usesHub, paths.hubPresence))
    const keeper = keepsHub ? new HubKeeper({ paths, ports: usesHub, env, log }) : undefined
    const claude = entry.wrapped?.pid ?? claudeOf(folder)
    while (pump.lives(claude)) await Bun.sleep(pollMs)
    const gone = (): Exit[] => pump.goneProcesses().map((pid) => ({ pid }))
    const report = await pump.close(gone, AbortSignal.timeout(deliveryMs))
    keeper?.stop()
    if (report.settled) {
      await recoverRuns({
        paths,
        configFor: (other) => configForRun(resolution, other),
        deadline: AbortSignal.timeout(deliveryMs),
        triesAll: false,
      })
    }
    for (const drop of enforceBudget({ paths, storage: config.storage })) log(`dropped: ${JSON.stringify(drop)}`)
  },
})

/**
 * Hooks cannot know that telemetry is off; what they bring is thrown away, and none of them has to start another process. What
 * was written down before it was switched off waits.
 */
async function discardWhileAlive(folder: RunFolder): Promise<void> {
  const claude = claudeOf(folder)
  while (isProcessAlive(claude)) {
    discardRecords(folder)
    await Bun.sleep(pollMs)
  }
  if (existsSync(folder.journal)) releaseRun(folder)
  else discardRun(folder)
}

/** Of a run that nobody wrapped it is in the folder's name; of one whose wrapper died too soon, in what its first hook has written. */
function claudeOf(folder: RunFolder): number {
  const named = /^claude-(\d+)$/.exec(basename(folder.path))?.[1]
  return Number(named ?? readSpool(folder.spool, Number.POSITIVE_INFINITY, false).records[0]?.pid)
}
