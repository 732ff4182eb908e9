/** Chromium without a window, as a person would use the dashboard. What a page complains of is collected. */
import { type Browser, chromium, type Page } from 'playwright-core'

/** Debian's name first. */
const names = ['chromium', 'chromium-browser', 'google-chrome']

export const chromiumPath = names.map((name) => Bun.which(name)).find((path) => path !== null)

export interface Window {
  readonly page: Page
  /** Errors of scripts, and whatever the content security policy refused. */
  readonly complaints: readonly string[]
}

export async function startBrowser(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error('there is no Chromium: apt-get install chromium')
  return chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] })
}

export async function openWindow(
  browser: Browser,
  options: { readonly width: number; readonly height: number; readonly colorScheme?: 'light' | 'dark' },
): Promise<Window> {
  const { width, height, colorScheme = 'light' } = options
  const page = await browser.newPage({ viewport: { width, height }, colorScheme })
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  return { page, complaints }
}
