/**
 * claude-otel with bombs in it: CLAUDE_OTEL_FAULT names the fault points at which processes of ours kill themselves, with commas
 * between them, each as `point[@command][#n]`: by any process or by one of these commands (`hook`, `pump`, `drain`, `wrap`), on its
 * n-th passage counted over all processes. They are counted in the folder CLAUDE_OTEL_FAULT_COUNT, so that a test sees what went off.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

const { CLAUDE_OTEL_FAULT: armed, CLAUDE_OTEL_FAULT_COUNT: folder } = process.env
const first = process.argv[2] ?? ''
const us = ['hook', 'pump', 'drain'].includes(first) ? first : 'wrap'

if (armed !== undefined && folder !== undefined) {
  const faults = armed.split(',').map((fault) => {
    const [, point, command = us, passage = '1'] = /^([^@#]+)(?:@(\w+))?(?:#(\d+))?$/.exec(fault) ?? []
    return { point, command, passage: Number(passage), counts: join(folder, fault) }
  })
  globalThis.faultPoint = (name, before) => {
    const fault = faults.find(({ point, command }) => point === name && command === us)
    if (fault === undefined || countPassage(fault.counts) !== fault.passage) return
    before?.()
    process.kill(process.pid, 'SIGKILL')
    // Nothing more happens, however the system takes its time.
    while (true);
  }
}

/** Making a folder is what only one process succeeds in. */
function countPassage(counts: string): number {
  for (let count = 1; ; count++) {
    try {
      mkdirSync(`${counts}/${count}`)
      return count
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) return 0
    }
  }
}

await import('../../src/main.ts')
