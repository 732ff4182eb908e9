/** Where the page is: a path and parameters behind `#`. They survive a reload, and can be sent to somebody. */
import { useEffect, useMemo, useState } from 'preact/hooks'

export interface Route {
  /** `/now`, `/session/<id>`, … */
  readonly path: string
  readonly params: URLSearchParams
}

const listeners = new Set<() => void>()
let hash = location.hash
let timer: ReturnType<typeof setTimeout> | undefined

/** Browsers turn down who writes the address many times a second, as somebody does who holds an arrow key. */
const writeMs = 150

window.addEventListener('hashchange', () => {
  clearTimeout(timer)
  hash = location.hash
  tell()
})
window.addEventListener('pagehide', write)

function tell(): void {
  for (const listener of listeners) listener()
}

function write(): void {
  if (hash !== location.hash) history.replaceState(null, '', hash)
}

export function useRoute(): Route {
  const [known, setKnown] = useState(hash)
  useEffect(() => {
    const onChange = () => setKnown(hash)
    listeners.add(onChange)
    onChange()
    return () => void listeners.delete(onChange)
  }, [])
  return useMemo(() => {
    const [path = '', params = ''] = known.replace(/^#/, '').split('?', 2)
    return { path, params: new URLSearchParams(params) }
  }, [known])
}

/** Parameters change in place, as no step of the history; undefined takes one away. */
export function setParams(changes: Readonly<Record<string, string | undefined>>): void {
  const [path = '', known = ''] = hash.split('?', 2)
  const params = new URLSearchParams(known)
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') params.delete(name)
    else params.set(name, value)
  }
  const words = params.toString()
  hash = words === '' ? path : `${path}?${words}`
  clearTimeout(timer)
  timer = setTimeout(write, writeMs)
  tell()
}

/** Of a session, with a span chosen where one is given: by its id, or by what it is of. */
export function sessionPath(id: string, span?: string): string {
  const path = `#/session/${encodeURIComponent(id)}`
  return span === undefined ? path : `${path}?${new URLSearchParams({ span })}`
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · claude-otel`
  }, [title])
}
