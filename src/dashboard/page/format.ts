/** Numbers and times as people read them. */
import type { Captured } from '../../usage/sources.ts'

const compactNumber = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const wholeNumber = new Intl.NumberFormat('en')

/** 1234567 → 1.2M; exact below ten thousand. */
export function renderCount(count: number): string {
  return count < 10_000 ? wholeNumber.format(Math.round(count)) : compactNumber.format(count)
}

export function renderExact(count: number): string {
  return wholeNumber.format(count)
}

/** null is what nobody knows. */
export function renderUsd(usd: number | null | undefined): string {
  if (usd === null || usd === undefined) return '–'
  return `$${usd.toFixed(usd !== 0 && usd < 0.1 ? 4 : 2)}`
}

/** 1.2 ms, 340 ms, 4.1 s, 3 min 20 s, 2 h 5 min. */
export function renderDuration(micro: number): string {
  const ms = micro / 1000
  if (ms < 10) return `${ms.toFixed(ms === 0 ? 0 : 1)} ms`
  if (ms < 1000) return `${ms.toFixed(0)} ms`
  const seconds = ms / 1000
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`
  const minutes = Math.floor(seconds / 60)
  const rest = Math.floor(seconds % 60)
  if (minutes < 60) return rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

export function renderTime(unixMicro: number): string {
  return new Date(unixMicro / 1000).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hour12: false,
  })
}

/** The time alone for today, else with the day. */
export function renderMoment(unixMicro: number): string {
  const date = new Date(unixMicro / 1000)
  const time = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false })
  if (date.toDateString() === new Date().toDateString()) return time
  return `${date.toLocaleDateString([], { month: 'short', day: 'numeric' })}, ${time}`
}

export function renderAgo(unixMicro: number, nowMs: number): string {
  const seconds = Math.max(0, nowMs / 1000 - unixMicro / 1e6)
  if (seconds < 5) return 'now'
  if (seconds < 60) return `${Math.floor(seconds)} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86_400)} days ago`
}

export function renderBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB']
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3))
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

export function renderPercent(share: number): string {
  return `${(share * 100).toFixed(share !== 0 && share < 0.1 ? 1 : 0)} %`
}

/** claude-opus-5-5 → opus-5-5: the rest is the same everywhere. */
export function renderModel(model: string): string {
  return model.replace(/^claude-/, '')
}

/** `wrapper captured 99.6 %`: what sources have of the one that is believed; never rounded up to all. */
export function renderCaptured(captured: Captured): string {
  const parts = Object.entries(captured).map(([source, share]) => {
    return `${source} captured ${(Math.floor(share * 1000) / 10).toFixed(1)} %`
  })
  return parts.join(', ')
}
