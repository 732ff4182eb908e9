/** `claude-otel drain`: send what earlier runs could not. */
import { Failure } from '../base/errors.ts'
import { resolveStatePaths } from '../base/paths.ts'
import { readEnvironment } from '../config/environment.ts'
import { recoverRuns } from '../session/recover.ts'
import { defineOurCommand } from './command.ts'
import { totals } from './outcome.ts'
import { configForRun, resolveSettings } from './settings.ts'

export default defineOurCommand({
  meta: { name: 'drain', description: 'Send what earlier runs could not.' },
  args: {
    timeout: { type: 'string', description: 'Seconds to go on trying.', default: '30' },
    json: { type: 'boolean', description: 'Print the numbers as JSON.' },
  },
  async run({ args, data }) {
    const seconds = Number(args.timeout)
    if (!(seconds > 0)) throw new Failure('usage', `--timeout is "${args.timeout}"`, 'give a number of seconds above 0')
    const env = readEnvironment()
    const paths = resolveStatePaths(env)
    if (paths === undefined)
      throw new Failure('io', 'no home folder is known (HOME is not set)', 'set HOME or CLAUDE_OTEL_HOME')
    const resolution = await resolveSettings(env, data)
    const [problem] = resolution.problems
    if (problem !== undefined) throw problem
    const recovered = await recoverRuns({
      runs: paths.runs,
      sessions: paths.sessions,
      configFor: (context) => configForRun(resolution, context),
      deadline: AbortSignal.timeout(seconds * 1000),
      stopAtFailure: false,
    })
    const settled = recovered.filter(({ report }) => report.settled).length
    const sums = recovered.map(({ report }) => totals(report))
    const numbers = {
      runs: recovered.length,
      settled,
      delivered: sums.reduce((sum, row) => sum + row.delivered, 0),
      queued: sums.reduce((sum, row) => sum + row.queued, 0),
      rejected: sums.reduce((sum, row) => sum + row.rejected, 0),
    }
    const { runs, delivered, queued, rejected } = numbers
    const text = `${settled} of ${runs} runs done: ${delivered} delivered, ${queued} still queued, ${rejected} rejected`
    process.stdout.write(`${args.json ? JSON.stringify(numbers) : text}\n`)
    if (settled < runs) throw new Failure('unavailable', firstError(recovered) ?? 'not everything could be delivered')
  },
})

function firstError(recovered: Awaited<ReturnType<typeof recoverRuns>>): string | undefined {
  const destinations = recovered.flatMap(({ report }) => Object.values(report.destinations))
  return destinations.find(({ lastError }) => lastError !== undefined)?.lastError
}
