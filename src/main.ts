/**
 * The entry. A hook loads hook/stamp.ts and nothing else; everything else is loaded only when it is asked for.
 * The one place that ends the process.
 */
import { stampHook } from './hook/stamp.ts'

if (process.argv[2] === 'hook') {
  // A hook must never disturb claude: whatever went wrong, the answer is 0 and silence.
  await stampHook().catch(() => {})
  process.exit(0)
}

const { runCli } = await import('./commands/cli.ts')
const end = await runCli(process.argv.slice(2))
if (end.signal !== undefined) {
  // Whoever waits for us shall see what they would have seen of claude: death by the same signal.
  const { constants } = await import('node:os')
  const number = constants.signals[end.signal]
  try {
    process.kill(process.pid, number)
    await Bun.sleep(1000)
  } catch {
    // A signal that the runtime cannot send.
  }
  // The runtime ignores some (SIGPIPE, SIGXFSZ): a shell at least sees the same number.
  process.exit(128 + number)
}
process.exit(end.code ?? 1)
