/** `claude-otel hub`: started by whoever has something to send and finds no hub. Ends when nobody needs it. Not for people. */

import { describeError } from '../base/errors.ts'
import { createLog } from '../base/log.ts'
import { resolveStatePaths } from '../base/paths.ts'
import { readEnvironment } from '../config/environment.ts'
import { type Hub, startHub } from '../hub/hub.ts'
import { type Registration, registerHub } from '../hub/registration.ts'
import { resolveSettings } from '../run/settings.ts'
import { defineOurCommand } from './command.ts'
import { askedToEnd, closeMs, withArguments } from './serve.ts'

const checkMs = 1000

export default defineOurCommand({
  meta: { name: 'hub', description: 'The hub in the background, until nobody needs it.', hidden: true },
  args: {
    'grpc-port': { type: 'string', description: 'OTLP over gRPC.', required: true },
    'http-port': { type: 'string', description: 'OTLP over HTTP.', required: true },
  },
  async run({ args, data }) {
    const env = readEnvironment()
    const paths = resolveStatePaths(env)
    const registration = paths === undefined ? undefined : registerHub(paths)
    if (paths === undefined || registration === undefined) return
    const log = createLog(paths.hubLog)
    try {
      const { config, problems } = await resolveSettings(env, data)
      const [problem] = problems
      if (problem !== undefined) throw problem
      const { redaction } = config
      const options = { env, redaction, notice: log, log: config.debug ? log : () => {}, anyDashboardPort: true }
      const hub = await startHub({ config: withArguments(config.hub, args), ...options })
      registration.announce(hub.place(), true)
      await Promise.race([askedToEnd(), unneeded(hub, registration, config.hub.idleMs)])
      await hub.close(AbortSignal.timeout(closeMs))
    } catch (error) {
      log(`no hub: ${describeError(error)}`)
      throw error
    } finally {
      registration.release()
    }
  },
})

/** Nobody sends or looks any more, or its folder was removed, and with it the way to find it. */
async function unneeded(hub: Hub, registration: Registration, idleMs: number): Promise<void> {
  while (hub.idleMs() < idleMs && registration.isValid()) await Bun.sleep(Math.min(checkMs, idleMs))
}
