/**
 * Holds the measurements against scripts/budgets.json and shows them as a Markdown table.
 *
 *   bench [--json] [--write] [--large] [--only=Hook,StackQueries]
 *
 * `--json` prints the numbers instead, `--write` puts the table into the README, `--large` takes a gigabyte of transcripts,
 * `--only` runs those measurements (see measurements.ts). Exit 1 if a gate is broken.
 */
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import budgets from './budgets.json' with { type: 'json' }
import type { Measure } from './measure/kit.ts'
import { measurements } from './measurements.ts'

const README = join(import.meta.dir, '..', 'README.md')
const BEGIN = '<!-- bench:begin -->'
const END = '<!-- bench:end -->'

/** A busy machine breaks a gate by chance: how many times the runs each further attempt has. */
const EFFORTS = [1, 2, 2, 3, 3, 3]

interface Budget {
  /** What must not be exceeded; without one the value is only told. */
  readonly gate?: number
  /** What must be reached, of what is better the more it is. */
  readonly least?: number
  /** What we aim at; missing it breaks nothing. */
  readonly goal?: number
}

interface Result extends Measure, Budget {
  readonly isKept: boolean
}

if (import.meta.main) process.exit(await main(new Set(process.argv.slice(2))))

async function main(options: ReadonlySet<string>): Promise<number> {
  const results: Result[] = []
  for (const measurement of chosen(options)) results.push(...(await judge(measurement)))
  const table = renderTable(results)
  if (options.has('--write')) await writeReadme(table)
  const gated = results.filter(({ gate, least }) => gate !== undefined || least !== undefined)
  const kept = gated.filter(({ isKept }) => isKept).length
  if (options.has('--json')) console.log(JSON.stringify({ machine: machine(), results }, undefined, 2))
  else console.log(`${table}\n\n${kept} passed, ${gated.length - kept} failed`)
  return kept === gated.length && kept > 0 ? 0 : 1
}

function chosen(options: ReadonlySet<string>): typeof measurements {
  const only = [...options].find((option) => option.startsWith('--only='))?.slice('--only='.length)
  if (only === undefined) return measurements
  if (options.has('--write')) throw new Error('--write wants all measurements')
  return only.split(',').map((name) => {
    const found = measurements.find((measurement) => measurement.name === `measure${name}`)
    if (found !== undefined) return found
    const names = measurements.map((measurement) => measurement.name.replace(/^measure/, ''))
    throw new Error(`no measurement is called ${name}: use ${names.join(', ')}`)
  })
}

/** Noise only ever adds: a gate is broken when no attempt keeps it, each with more runs than the one before. */
async function judge(measurement: (effort: number) => Promise<Measure[]>): Promise<Result[]> {
  for (const effort of EFFORTS) {
    const results = (await measurement(effort)).map(withBudget)
    const broken = results.filter(({ isKept }) => !isKept)
    if (broken.length === 0 || effort === EFFORTS.at(-1)) return results
    console.error(`${broken.map(({ title, value }) => `${title}: ${value.toFixed(2)}`).join('; ')}; measuring again …`)
  }
  return []
}

function withBudget(measure: Measure): Result {
  const budget = (budgets as Readonly<Record<string, Budget>>)[measure.name]
  if (budget === undefined) throw new Error(`scripts/budgets.json says nothing of ${measure.name}`)
  const { gate = Number.POSITIVE_INFINITY, least = 0 } = budget
  return { ...measure, ...budget, isKept: measure.value <= gate && measure.value >= least }
}

function renderTable(results: readonly Result[]): string {
  const rows = results.map((result) => {
    const { title, value, unit, from } = result
    return `| ${title} | ${value.toFixed(2)} ${unit} | ${renderGate(result)} | ${from} |`
  })
  return ['| what | value | gate | from |', '|---|---|---|---|', ...rows, '', machine()].join('\n')
}

function renderGate({ gate, least, goal, unit, isKept }: Result): string {
  if (gate === undefined && least === undefined) return 'none'
  const bound = gate === undefined ? `≥ ${least}` : `≤ ${gate}`
  return `${bound} ${unit}${goal === undefined ? '' : ` (goal ${goal})`}: ${isKept ? 'pass' : '**fail**'}`
}

function machine(): string {
  const cores = cpus()
  const day = new Date().toISOString().slice(0, 10)
  return `${cores[0]?.model.trim() ?? process.arch}, ${cores.length} cores, ${process.platform} ${release()}, ${day}`
}

async function writeReadme(table: string): Promise<void> {
  const readme = await Bun.file(README).text()
  const [before, rest] = readme.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined) throw new Error(`README.md has no ${BEGIN} … ${END}`)
  await Bun.write(README, `${before}${BEGIN}\n${table}\n${END}${after}`)
}
