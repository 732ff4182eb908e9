/** The page: which of its parts is shown, in what colours, and what the keyboard does everywhere. */
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { HealthPage } from './health.tsx'
import { HistoryPage } from './history.tsx'
import { connect, useConnection } from './hub.ts'
import { NowPage } from './now.tsx'
import { SessionPage } from './session.tsx'

const tabs = [
  { path: '#/now', name: 'Now', key: '1' },
  { path: '#/history', name: 'History', key: '2' },
  { path: '#/health', name: 'Health', key: '3' },
] as const

const themes = ['auto', 'light', 'dark'] as const
type Theme = (typeof themes)[number]

function Page() {
  const path = usePath()
  const [theme, setTheme] = useTheme()
  const colours = useColours(theme)
  useEffect(() => {
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
  const sessionId = path.startsWith('#/session/') ? decodeURIComponent(path.slice('#/session/'.length)) : undefined
  return (
    <>
      <header class="top">
        <a class="brand" href="#/now">
          claude-otel
        </a>
        <nav>
          {tabs.map((tab) => (
            <a
              key={tab.path}
              href={tab.path}
              title={`Key ${tab.key}`}
              aria-current={path === tab.path ? 'page' : undefined}
            >
              {tab.name}
            </a>
          ))}
        </nav>
        <Connected />
        <button
          type="button"
          class="theme"
          onClick={() => setTheme(next(theme))}
          title="Colours: by the system, light, dark"
        >
          {theme}
        </button>
      </header>
      <main>
        {path === '#/now' && <NowPage theme={colours} />}
        {path === '#/history' && <HistoryPage theme={colours} />}
        {path === '#/health' && <HealthPage />}
        {sessionId !== undefined && <SessionPage key={sessionId} id={sessionId} />}
      </main>
    </>
  )
}

const connectionWords = { connecting: 'connecting', live: 'live', away: 'the hub is away; trying again' } as const

function Connected() {
  const state = useConnection()
  return (
    <span class={`connection ${state}`} role="status">
      {connectionWords[state]}
    </span>
  )
}

/** Anything unknown leads to Now. */
function usePath(): string {
  const [path, setPath] = useState(location.hash)
  useEffect(() => {
    const onChange = () => setPath(location.hash)
    window.addEventListener('hashchange', onChange)
    return () => window.removeEventListener('hashchange', onChange)
  }, [])
  const isKnown = tabs.some((tab) => tab.path === path) || path.startsWith('#/session/')
  return isKnown ? path : '#/now'
}

const themeKey = 'claude-otel-theme'

function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(
    () => themes.find((each) => each === localStorage.getItem(themeKey)) ?? 'auto',
  )
  useEffect(() => {
    document.documentElement.dataset.theme = theme
    localStorage.setItem(themeKey, theme)
  }, [theme])
  return [theme, setTheme]
}

/** What is in force, for what is drawn in colours that do not follow by themselves. */
function useColours(theme: Theme): string {
  const [isDark, setDark] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches)
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)')
    const onChange = () => setDark(query.matches)
    query.addEventListener('change', onChange)
    return () => query.removeEventListener('change', onChange)
  }, [])
  return theme === 'auto' ? (isDark ? 'dark' : 'light') : theme
}

function next(theme: Theme): Theme {
  return themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'auto'
}

function onKey(event: KeyboardEvent): void {
  const isTyping = event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)
  if (isTyping) {
    if (event.key === 'Escape') (event.target as HTMLElement).blur()
    return
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return
  const tab = tabs.find(({ key }) => key === event.key)
  if (tab !== undefined) location.hash = tab.path
  if (event.key === '/') {
    const field = document.querySelector<HTMLInputElement>('input[type=search]')
    if (field === null) return
    event.preventDefault()
    field.focus()
  }
}

const place = document.getElementById('page')
if (place !== null) {
  connect()
  render(<Page />, place)
}
