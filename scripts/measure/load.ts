/** Sessions of very many events, transcripts and outputs of very many bytes: see scripts/load.ts and scripts/large-output.ts. */
import { measureLargeOutput } from '../large-output.ts'
import { measureAttach, measureDrain } from '../load.ts'
import { type Measure, ms } from './kit.ts'
import { relativeSpeed } from './programs.ts'

/** Half of them hooks' records, half transcript lines. */
const EVENTS = 50_000
const FEW_EVENTS = 10_000
const EVENTS_PER_SECOND = 5000
const OUTPUT_BYTES = 10_000_000
const TRANSCRIPT_MB = 500

export async function measureLoad(): Promise<Measure[]> {
  if (process.platform !== 'linux') return []
  const speed = await relativeSpeed()
  const few = await measureDrain(FEW_EVENTS / 2)
  const many = await measureDrain(EVENTS / 2)
  const allowedMs = (EVENTS / EVENTS_PER_SECOND) * 1000
  const attach = await measureAttach(TRANSCRIPT_MB)
  const output = {
    plain: measureLargeOutput(OUTPUT_BYTES, 'plain'),
    unicode: measureLargeOutput(OUTPUT_BYTES, 'unicode'),
  }
  return [
    {
      name: 'load.time',
      title: `${EVENTS} events, half hooks and half transcript lines, to the collector / the time in which they come at ${EVENTS_PER_SECOND} a second`,
      value: (many.wallMs * speed) / allowedMs,
      unit: '×',
      from: `${ms(many.wallMs)}, ${2 * many.eventsPerSecond} events a second; told for the same machine as the wrapper’s time`,
    },
    {
      name: 'load.memory',
      title: `Memory that ${EVENTS} events take beyond ${FEW_EVENTS}`,
      value: many.peakMiB - few.peakMiB,
      unit: 'MiB',
      from: `at most ${many.peakMiB} and ${few.peakMiB} MiB resident, of the whole process`,
    },
    {
      name: 'load.transcript',
      title: `Read of a transcript of ${TRANSCRIPT_MB} MB when its session is resumed`,
      value: attach.readMiB,
      unit: 'MiB',
      from: `of all files, until the new turn was with the collector ${ms(attach.wallMs)} later`,
    },
    {
      name: 'load.output',
      title: 'A tool output of 10 MB, parsed, masked, cut',
      value: Math.max(output.plain, output.unicode),
      unit: 'ms',
      from: `best of 5: ${ms(output.plain)} plain, ${ms(output.unicode)} beyond Latin-1`,
    },
  ]
}
