/** What the guard says of itself: for the page Health what it watches and what it did, for the page Now what was crossed. */
import type { GuardRule } from '../config/config.ts'
import type { HealthLine, HealthSection } from '../dashboard/health-view.ts'
import type { Notice } from '../dashboard/overview.ts'
import type { Firing } from './guard-actions.ts'

const shownFirings = 12
const noticeMs = 12 * 3_600_000

/** None where there is no rule and none has ever fired. */
export function guardHealth(rules: readonly GuardRule[], firings: readonly Firing[]): readonly HealthSection[] {
  if (rules.length === 0 && firings.length === 0) return []
  const names = [...new Set(rules.map(({ name }) => name))]
  const watched = names.map((label): HealthLine => ({ label, value: 'watched', level: 'ok' }))
  return [{ title: 'Guard', lines: [...watched, ...firings.slice(0, shownFirings).map(firingLine)] }]
}

function firingLine({ text, time, outcomes }: Firing): HealthLine {
  const hasFailed = outcomes.some((each) => each.hasFailed)
  const at = new Date(time).toLocaleString('sv').slice(0, 16)
  const hint = outcomes.map(({ what }) => what).join('; ')
  return { label: text, value: at, level: hasFailed ? 'error' : 'ok', ...(hint === '' ? {} : { hint }) }
}

export function guardNotices(firings: readonly Firing[], nowMs: number): readonly Notice[] {
  return firings
    .filter(({ isNoticed, time }) => isNoticed && Date.parse(time) > nowMs - noticeMs)
    .map(({ text, time, session }) => ({ text, unixMicro: Date.parse(time) * 1000, sessionId: session.id }))
}
