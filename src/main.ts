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
  process.kill(process.pid, end.signal)
  await Bun.sleep(1000)
}
process.exit(end.code ?? 1)
