/** The environment that a wrapped claude gets: the user's own, and beside it what our hooks and the commands it runs need. */
import { runVariable } from '../hook/run-folder.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import { renderTraceparent } from '../telemetry/trace-context.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Claude gives all SessionEnd hooks 1.5 s together, also the user's; ours needs milliseconds, but a busy machine may not. */
const sessionEndVariable = 'CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS'
const sessionEndMs = '5000'

/** `root` is undefined where trace context is not to be handed on (OTEL_PROPAGATORS). A copy; ours is left as it is. */
export function childEnvironment(
  env: Environment,
  run: string,
  root: SpanRef | undefined,
): Record<string, string | undefined> {
  return {
    ...env,
    [runVariable]: run,
    [sessionEndVariable]: env[sessionEndVariable] ?? sessionEndMs,
    ...(root === undefined ? {} : { TRACEPARENT: renderTraceparent(root), TRACESTATE: root.traceState }),
  }
}
