/** `claude-otel drain`: send what earlier runs could not. */
import { Failure } from '../base/errors.ts'
import { resolveStatePaths } from '../base/paths.ts'
import { readEnvironment } from '../config/environment.ts'
import type { DeliveryCounts, DeliveryReport, DestinationReport } from '../export/delivery.ts'
import { sumOf } from '../run/outcome.ts'
import { configForRun, resolveSettings } from '../run/settings.ts'
import { enforceBudget } from '../session/budget.ts'
import { renderDrops } from '../session/drops.ts'
import { type RecoveredRun, recoverRuns } from '../session/recover.ts'
import { defineOurCommand } from './command.ts'

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
      paths,
      configFor: (context) => configForRun(resolution, context),
      deadline: AbortSignal.timeout(seconds * 1000),
      triesAll: true,
    })
    const { storage } = resolution.config
    const drops = enforceBudget({ paths, storage })
    const settled = recovered.filter(({ report }) => report.settled).length
    const destinations = addUp(recovered.map(({ report }) => report))
    const numbers = {
      runs: recovered.length,
      settled,
      ...sumOf(Object.values(destinations)),
      destinations,
      droppedRuns: drops.length,
    }
    const { runs, delivered, queued, dropped } = numbers
    const rows = Object.entries(destinations).map(
      ([name, row]) => `\n  ${name}: ${row.delivered} delivered, ${row.queued} queued, ${row.dropped} dropped`,
    )
    const done = `${settled} of ${runs} runs done: ${delivered} delivered, ${queued} queued, ${dropped} dropped`
    const sum = [done, renderDrops(drops, storage)].filter((part) => part !== undefined).join('; ')
    const text = rows.length > 1 ? `${sum}${rows.join('')}` : sum
    process.stdout.write(`${args.json ? JSON.stringify(numbers) : text}\n`)
    if (settled === runs) return
    const trouble = firstTrouble(recovered)
    throw new Failure('unavailable', trouble?.lastError ?? 'not everything could be delivered', trouble?.hint)
  },
})

/** By destination, over all runs and kinds of signals. */
function addUp(reports: readonly DeliveryReport[]): Record<string, DeliveryCounts> {
  const rows = reports.flatMap(({ destinations }) => Object.entries(destinations))
  const groups = Map.groupBy(rows, ([name]) => name)
  return Object.fromEntries(
    [...groups].map(([name, all]) => [name, sumOf(all.flatMap(([, { counts }]) => Object.values(counts)))]),
  )
}

function firstTrouble(recovered: readonly RecoveredRun[]): DestinationReport | undefined {
  const destinations = recovered.flatMap(({ report }) => Object.values(report.destinations))
  return destinations.find(({ lastError }) => lastError !== undefined)
}
