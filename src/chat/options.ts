/** What a chat is told by its command. */
import type { ExtraArgs } from '../claude/extra-args.ts'
import type { Environment, Resolution } from '../config/config.ts'
import type { Row } from '../console/panel.ts'
import type { RunPlan } from '../run/plan.ts'
import type { Flags } from '../run/settings.ts'

export interface ChatOptions {
  /** Claude's flags; those that say what is read and printed are ours. */
  readonly extraArgs: ExtraArgs
  /** Said first, as if somebody had written it. */
  readonly prompt: string | undefined
  readonly env: Environment
  readonly flags: Flags
  readonly resolution: Resolution
  readonly cwd: string
  /** No colours, signs, or lines that move. */
  readonly isPlain: boolean
  /** Hides secrets in what is told of tools and in what is remembered. */
  readonly mask: (text: string) => string
  readonly places: ChatPlaces
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

export interface ChatPlaces {
  /** The file of what was said in chats before; undefined where no home is known. */
  readonly history: string | undefined
  /** What there is to say of the trace of a session, and where it can be looked at. */
  readonly traceOf: (run: RunPlan, sessionId: string | undefined) => Promise<Row[]>
}
