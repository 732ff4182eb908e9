/** `claude-otel backfill`: usage from the transcripts that Claude Code has kept, each answer once however often it is run. */
import { join } from 'node:path'
import { describeError, Failure } from '../base/errors.ts'
import type { Environment } from '../config/config.ts'
import { readEnvironment } from '../config/environment.ts'
import { resolveSettings } from '../run/settings.ts'
import { openAnyStore } from '../store/any-store.ts'
import type { AnyStore } from '../store/store.ts'
import { findTranscripts, isUnfinished, readHistory, type TranscriptFile } from '../usage/history.ts'
import { readPrices } from '../usage/pricing.ts'
import { defineOurCommand } from './command.ts'
import { formatBytes, formatCount } from './table.ts'

interface Progress {
  readonly files: number
  /** Known already, as they are now. */
  readonly skipped: number
  readonly unreadable: readonly string[]
  readonly requests: number
  readonly newRequests: number
  readonly bytes: number
}

export default defineOurCommand({
  meta: {
    name: 'backfill',
    description: 'Take usage from transcripts: all of Claude Code’s, or the files and folders named.',
  },
  args: {
    store: { type: 'string', description: 'A path, or the URL of a ClickHouse; by default the hub’s.' },
    json: { type: 'boolean', description: 'Print the numbers as JSON.' },
  },
  async run({ args, data }) {
    const env = readEnvironment()
    const { config } = await resolveSettings(env, data)
    const paths = args._.length > 0 ? args._ : [projectsFolder(env)]
    const files = find(paths)
    const store = await openAnyStore(args.store ?? config.hub.store, { prices: readPrices(config.hub.prices) })
    const began = performance.now()
    try {
      const done = await take(files, store, progressBar(files))
      const seconds = (performance.now() - began) / 1000
      process.stdout.write(
        args.json ? `${JSON.stringify({ ...done, seconds, store: store.url })}\n` : render(done, seconds),
      )
    } finally {
      store.close()
    }
  },
})

function projectsFolder(env: Environment): string {
  const home = env.CLAUDE_CONFIG_DIR ?? (env.HOME === undefined ? undefined : join(env.HOME, '.claude'))
  if (home === undefined) throw new Failure('io', 'no home folder is known (HOME is not set)', 'name the transcripts')
  return join(home, 'projects')
}

function find(paths: readonly string[]): readonly TranscriptFile[] {
  try {
    return findTranscripts(paths)
  } catch (error) {
    throw new Failure(
      'data',
      `transcripts cannot be found: ${describeError(error)}`,
      'name files or folders that are there',
    )
  }
}

async function take(
  files: readonly TranscriptFile[],
  store: AnyStore,
  show: (bytes: number) => void,
): Promise<Progress> {
  let [skipped, requests, newRequests, bytes] = [0, 0, 0, 0]
  const unreadable: string[] = []
  for (const file of files) {
    if (await store.knowsFile(file)) skipped++
    else {
      try {
        const history = readHistory(file)
        newRequests += await store.appendHistory(history, isUnfinished(file) ? undefined : file)
        requests += history.length
      } catch (error) {
        unreadable.push(`${file.path}: ${describeError(error)}`)
      }
    }
    bytes += file.bytes
    show(bytes)
    // Ctrl-C gets its turn.
    await Bun.sleep(0)
  }
  show(Number.POSITIVE_INFINITY)
  return { files: files.length, skipped, unreadable, requests, newRequests, bytes }
}

function render({ files, skipped, unreadable, requests, newRequests, bytes }: Progress, seconds: number): string {
  const known = skipped === 0 ? '' : ` (${formatCount(skipped, 'file')} known already)`
  const rate = seconds > 0 ? `, ${formatBytes(bytes / seconds)} a second` : ''
  const lines = [
    `${formatCount(files, 'transcript')}${known}, ${formatBytes(bytes)}${rate}`,
    `${formatCount(requests, 'answer')}, of which ${newRequests.toLocaleString('en')} new`,
    ...unreadable.map((what) => `not read: ${what}`),
  ]
  return `${lines.join('\n')}\n`
}

/** On a terminal only, and on stderr, where it is in nobody's way. */
function progressBar(files: readonly TranscriptFile[]): (bytes: number) => void {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let shownAt = 0
  if (!process.stderr.isTTY) return () => {}
  return (bytes) => {
    const now = performance.now()
    if (bytes === Number.POSITIVE_INFINITY) process.stderr.write('\r\u001b[K')
    else if (now - shownAt > 100) {
      shownAt = now
      const share = total === 0 ? 1 : bytes / total
      const bar = '█'.repeat(Math.round(share * 30)).padEnd(30, '░')
      process.stderr.write(`\r${bar} ${(share * 100).toFixed(0)} % of ${formatBytes(total)}`)
    }
  }
}
