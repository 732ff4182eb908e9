/** What the receiver says of itself, for the page Health. */
import type { HealthLine, HealthSection } from '../dashboard/health-view.ts'
import type { ReceiverCounts } from '../receiver/receiver.ts'

const words = { traces: 'spans', logs: 'log records', metrics: 'points' } as const

/** Requests that were refused: which, and what there is to do. */
const refusals: { readonly [R in keyof ReceiverCounts['refused']]-?: readonly [words: string, hint?: string] } = {
  malformed: ['are no OTLP', 'See who sends to these ports, and what.'],
  unauthorized: ['do not show the token', 'Give their senders the header authorization: Bearer <token>.'],
  foreignPage: ['come from a page in a browser', 'Set a token for the hub if such pages may send.'],
  foreignName: ['know the hub by a name that is not this machine’s', 'Send to localhost, or set a token for the hub.'],
  notFound: ['ask for something else', 'OTLP is at /v1/traces, /v1/logs and /v1/metrics.'],
  wrongMethod: ['are no POST'],
  tooSlow: ['did not arrive in time'],
  cut: ['were given up by their sender'],
  tooLarge: ['are too large', 'Let their senders send smaller batches.'],
  unsupported: ['have another content type or packing', 'Use protobuf or JSON, plain or by gzip.'],
  overloaded: ['were put off: too much at once', 'Their senders come again, unless they end before.'],
  unavailable: ['were put off: the store could not write', 'Look for a full disk. Their senders come again.'],
}

export function receiverHealth({ accepted, rejected, refused }: ReceiverCounts): HealthSection {
  const signals = Object.entries(words) as [keyof typeof words, string][]
  const taken = signals.map(([signal, label]): HealthLine => ({ label, value: accepted[signal], level: 'ok' }))
  const lost = signals.flatMap(([signal, label]): HealthLine[] =>
    rejected[signal] === 0 ? [] : [{ label: `${label} rejected`, value: rejected[signal], level: 'warning' }],
  )
  const turned = Object.entries(refusals).flatMap(([reason, [words, hint]]): HealthLine[] => {
    const value = refused[reason as keyof typeof refused] ?? 0
    const line: HealthLine = { label: `requests that ${words}`, value, level: 'warning', ...(hint ? { hint } : {}) }
    return value === 0 ? [] : [line]
  })
  return { title: 'Receiver', lines: [...taken, ...lost, ...turned] }
}
