/** The page: which of its parts is shown, in what colours, and what the keyboard does everywhere. */
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { renderTime } from './format.ts'
import { HealthPage } from './health.tsx'
import { HistoryPage } from './history.tsx'
import { connect, useConnection } from './hub.ts'
import { KeyHelp } from './keys.tsx'
import { NowPage } from './now.tsx'
import { useRoute } from './route.ts'
import { SessionPage } from './session.tsx'

const tabs = [
  { path: '/now', name: 'Now', key: '1' },
  { path: '/history', name: 'History', key: '2' },
  { path: '/health', name: 'Health', key: '3' },
] as const

const themes = ['auto', 'light', 'dark'] as const
type Theme = (typeof themes)[number]

function Page() {
  const route = useRoute()
  const sessionId = sessionOf(route.path)
  // Anything unknown leads to Now.
  const path = sessionId !== undefined || tabs.some((tab) => tab.path === route.path) ? route.path : '/now'
  const [theme, setTheme] = useTheme()
  const [isHelpOpen, setHelpOpen] = useState(false)
  const colours = useColours(theme)
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => pressed(event, () => setHelpOpen(true))
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
  return (
    <>
      <a class="skip" href={`#${path}`} onClick={skip}>
        To the content
      </a>
      <header class="top">
        <a class="brand" href="#/now">
          claude-otel
        </a>
        <nav aria-label="Pages">
          {tabs.map((tab) => (
            <a
              key={tab.path}
              href={`#${tab.path}`}
              title={`Key ${tab.key}`}
              aria-current={path === tab.path ? 'page' : undefined}
            >
              {tab.name}
            </a>
          ))}
        </nav>
        <Connected />
        <button type="button" class="small" onClick={() => setHelpOpen(true)} title="Keys ( ? )" aria-label="Keys">
          ?
        </button>
        <button
          type="button"
          class="small theme"
          onClick={() => setTheme(next(theme))}
          title="Colours: by the system, light, dark"
          aria-label={`Colours: ${theme}`}
        >
          {theme}
        </button>
      </header>
      <Away />
      <main tabIndex={-1}>
        {path === '/now' && <NowPage theme={colours} />}
        {path === '/history' && <HistoryPage theme={colours} params={route.params} />}
        {path === '/health' && <HealthPage params={route.params} />}
        {sessionId !== undefined && <SessionPage key={sessionId} id={sessionId} params={route.params} />}
      </main>
      <KeyHelp isOpen={isHelpOpen} close={() => setHelpOpen(false)} />
    </>
  )
}

/** Malformed escapes name no session. */
function sessionOf(path: string): string | undefined {
  if (!path.startsWith('/session/')) return undefined
  try {
    return decodeURIComponent(path.slice('/session/'.length))
  } catch {
    return undefined
  }
}

function skip(event: Event): void {
  event.preventDefault()
  document.querySelector('main')?.focus()
}

const connectionWords = { connecting: 'connecting', live: 'live', away: 'away' } as const

function Connected() {
  const { state } = useConnection()
  return (
    <span class={`connection ${state}`} title={`The hub is ${connectionWords[state]}`}>
      {connectionWords[state]}
    </span>
  )
}

/** What is shown stays; whoever looks must know that it is old. */
function Away() {
  const { state, sinceMs } = useConnection()
  return (
    <div role="status">
      {state === 'away' && (
        <p class="absent">
          The hub does not answer. What is shown is of {renderTime(sinceMs * 1000)}; it is asked again by itself. If it
          was stopped: <code>claude-otel serve</code>
        </p>
      )}
    </div>
  )
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

function pressed(event: KeyboardEvent, help: () => void): void {
  const isTyping = event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)
  if (isTyping) {
    if (event.key === 'Escape') (event.target as HTMLElement).blur()
    return
  }
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') !== null) return
  const tab = tabs.find(({ key }) => key === event.key)
  if (tab !== undefined) location.hash = tab.path
  const goTo = (selector: string) => {
    const element = document.querySelector<HTMLElement>(selector)
    if (element === null) return
    event.preventDefault()
    element.focus()
  }
  if (event.key === '/') goTo('input[type=search]')
  if (event.key === 't') goTo('[role=tree]')
  if (event.key === '?') help()
}

const place = document.getElementById('page')
if (place !== null) {
  connect()
  render(<Page />, place)
}
