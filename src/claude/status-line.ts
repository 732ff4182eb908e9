/** What Claude Code tells a status-line command on stdin: context window and cost. Source: Claude Code 2.1.329, observed. */
import { isRecord } from '../telemetry/summary.ts'

export interface StatusLineInput {
  readonly sessionId?: string
  readonly model?: string
  /** Share of the context window that is used, 0 to 1, and the window's size in tokens. */
  readonly contextUsed?: number
  readonly contextTokens?: number
  readonly costUsd?: number
  /** Since the session began, milliseconds. */
  readonly durationMs?: number
}

/** Undefined for what is no JSON object; what is missing or of another type is left out. */
export function parseStatusLine(json: string): StatusLineInput | undefined {
  const value = parseJson(json)
  if (!isRecord(value)) return undefined
  const [model, context, cost] = [value.model, value.context_window, value.cost].map((part) =>
    isRecord(part) ? part : {},
  )
  const size = number(context?.context_window_size)
  return compact({
    sessionId: text(value.session_id),
    model: text(model?.display_name) ?? text(model?.id),
    contextUsed: contextUsed(context ?? {}, size),
    contextTokens: size,
    costUsd: number(cost?.total_cost_usd),
    durationMs: number(cost?.total_duration_ms),
  })
}

/** Claude Code rounds its percentage to whole ones; the last request's tokens say it exactly. */
function contextUsed(context: Readonly<Record<string, unknown>>, size: number | undefined): number | undefined {
  const usage = context.current_usage
  if (isRecord(usage) && size !== undefined && size > 0) {
    const parts = ['input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens', 'output_tokens']
    return parts.reduce((sum, name) => sum + (number(usage[name]) ?? 0), 0) / size
  }
  const percentage = number(context.used_percentage)
  return percentage === undefined ? undefined : percentage / 100
}

type Loose<T> = { readonly [K in keyof T]: T[K] | undefined }

function compact(input: Loose<Required<StatusLineInput>>): StatusLineInput {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
