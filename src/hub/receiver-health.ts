/** What the receiver says of itself, for the page Health. */
import type { HealthLine, HealthSection } from '../dashboard/health-view.ts'
import type { ReceiverCounts } from '../receiver/receiver.ts'

const words = { traces: 'spans', logs: 'log records', metrics: 'points' } as const

export function receiverHealth({ accepted, rejected, refused }: ReceiverCounts): HealthSection {
  const signals = Object.entries(words) as [keyof typeof words, string][]
  const taken = signals.map(([signal, label]): HealthLine => ({ label, value: accepted[signal], level: 'ok' }))
  const lost = signals.flatMap(([signal, label]): HealthLine[] =>
    rejected[signal] === 0 ? [] : [{ label: `${label} rejected`, value: rejected[signal], level: 'warning' }],
  )
  const turned = Object.entries(refused).map(
    ([reason, value]): HealthLine => ({ label: `requests refused: ${reason}`, value, level: 'warning' }),
  )
  return { title: 'Receiver', lines: [...taken, ...lost, ...turned] }
}
