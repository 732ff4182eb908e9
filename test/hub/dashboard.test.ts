/** The dashboard in a real Chromium: it shows what is there, follows what comes, and is quick with ten thousand spans. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { createFeed } from '../../src/dashboard/feed.ts'
import { type Dashboard, startDashboard } from '../../src/dashboard/server.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import { readBoth } from '../dashboard/both.ts'
import { batchesOf, recorded } from '../dashboard/recorded.ts'
import { Story, usageOf } from '../dashboard/story.ts'
import { until } from '../kit/until.ts'
import { openWindow, startBrowser, type Window } from './browser.ts'

const sizes = [
  { name: 'wide', width: 1440, height: 900 },
  { name: 'tablet', width: 820, height: 1100 },
  { name: 'phone', width: 390, height: 844 },
] as const

const root = mkdtempSync(join(tmpdir(), 'claude-otel-browser-'))
const pictures = join(root, 'pictures')
const feed = createFeed()
let browser: Browser
let store: Store
let dashboard: Dashboard
let demoId = ''

beforeAll(async () => {
  mkdirSync(pictures)
  store = await openStore(join(root, 'hub.db'))
  const demo = await recorded('demo')
  demoId = String(demo.spans[0]?.attributes['session.id'])
  for (const batch of [...batchesOf(demo), ...longStory().batches()]) await store.append(batch)
  const tokens = { inputTokens: 1000, outputTokens: 2000, cacheReadTokens: 300_000, cacheCreationTokens: 40_000 }
  const facts = [0, 1, 2, 5].flatMap((days) =>
    ['claude-opus-5-5', 'claude-haiku-4-5'].map((model) => {
      const who = { model, project: 'shop', sessionId: 'active', querySource: 'main' }
      return { ...who, ...tokens, costUsd: 1.25, atMs: Date.now() - days * 86_400_000 - 1000 }
    }),
  )
  const health = () => [
    { title: 'Receiver', lines: [{ label: 'refused', value: 3, level: 'warning', hint: 'Why' } as const] },
  ]
  const usage = usageOf(facts, { 'claude-opus-5-5': 200_000 })
  dashboard = await startDashboard({ host: '127.0.0.1', port: 0, store, feed, usage, health })
  browser = await startBrowser()
})

afterAll(async () => {
  await browser?.close()
  await dashboard?.close()
  feed.close()
  store?.close()
  rmSync(root, { recursive: true })
})

let active: Story
beforeEach(() => {
  active = new Story(`active-${Math.random()}`, (Date.now() - 30_000) * 1000)
})

/** Two hours of one session: a hundred turns of a hundred spans. */
function longStory(): Story {
  const story = new Story('long', (Date.now() - 3 * 3_600_000) * 1000)
  const session = story.session(0, 10_100)
  for (let index = 0; index < 100; index += 1) {
    const begin = index * 101
    const turn = story.turn(index + 1, begin, begin + 100, session, { 'prompt.preview': `Prompt number ${index + 1}` })
    for (let at = begin; at < begin + 98; at += 2) {
      story.chat(at, at + 1, [10, 20, 30_000, 40], turn)
      story.tool('Bash', at + 1, at + 2, turn, {
        duration_ms: 700,
        permission_wait_ms: 100,
        'input.summary': `echo ${at}`,
      })
    }
  }
  return story
}

async function send(batches: readonly OtlpBatch[]): Promise<void> {
  for (const batch of batches) {
    await store.append(batch)
    feed.publish(batch)
  }
}

async function inWindow(size: Parameters<typeof openWindow>[1], use: (window: Window) => Promise<void>): Promise<void> {
  const window = await openWindow(browser, size)
  try {
    await use(window)
    expect(window.complaints).toEqual([])
  } finally {
    await window.page.close()
  }
}

describe('The dashboard', () => {
  test('shows a session that begins, its prompt, its tools in flight and its end, without being asked', async () => {
    await inWindow(sizes[0], async ({ page }) => {
      await page.goto(dashboard.url)
      await page.locator('.connection.live').waitFor()
      const [session, turn, tool] = [active.newId(), active.newId(), active.newId()]
      const model = { 'gen_ai.response.model': 'claude-opus-5-5', 'vcs.repository.name': 'shop', 'prompt.id': 'p1' }
      active.log('session.start', 0, model, session)
      active.log(
        'claude.user_prompt',
        1,
        { ...model, 'prompt.preview': 'Make the tests green' },
        turn,
        'Make the tests green',
      )
      active.log('claude.tool.start', 2, { 'tool.use_id': 'u', 'tool.name': 'Bash', 'input.summary': 'npm test' }, tool)
      const sentMs = performance.now()
      await send(active.batches())
      const card = page.locator('article.session', { hasText: 'Make the tests green' })
      await card.locator('.flight p', { hasText: 'npm test' }).waitFor()
      expect(performance.now() - sentMs).toBeLessThan(2000)

      await card.locator('h2 a').click()
      await page.locator('.row.open', { hasText: 'npm test' }).waitFor()
      const rest = new Story(active.sessionId, active.beginUnixMicro)
      rest.log('claude.tool.end', 20, { 'tool.use_id': 'u', 'tool.name': 'Bash' }, tool)
      rest.span(
        'execute_tool Bash',
        2,
        20,
        { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'Bash' },
        turn,
        tool,
      )
      await send(rest.batches())
      await page.locator('.row:not(.open)', { hasText: 'Bash' }).waitFor()
      const end = new Story(active.sessionId, active.beginUnixMicro)
      end.log('session.end', 21, { 'session.end_reason': 'exit' }, session)
      await send(end.batches())
      await page.locator('.heading .state.ended').waitFor()
      expect(await page.locator('.row.open').count()).toBe(0)
    })
  }, 30_000)

  test('comes back by itself when the hub was away, and knows what it missed', async () => {
    const own = await openStore(join(root, 'away.db'))
    const lives = [createFeed(), createFeed()] as const
    const start = (port: number, life: (typeof lives)[number]) =>
      startDashboard({ host: '127.0.0.1', port, store: own, feed: life, health: () => [] })
    const first = await start(0, lives[0])
    // What a browser complains of when nobody is there is its business.
    const { page } = await openWindow(browser, sizes[0])
    await page.goto(first.url)
    await page.getByText('Nothing has arrived yet.').waitFor()
    await page.locator('.connection.live').waitFor()
    await first.close()
    await page.locator('.connection.away').waitFor()
    active.log('claude.user_prompt', 0, { 'prompt.preview': 'While you were away' })
    for (const batch of active.batches()) await own.append(batch)
    const again = await start(first.port, lives[1])
    await page.getByText('While you were away').waitFor()
    await page.locator('.connection.live').waitFor()
    await page.close()
    await again.close()
    for (const life of lives) life.close()
    own.close()
  }, 30_000)

  test('shows a recorded session: where the time went, the waterfall, details and log records of what is chosen', async () => {
    await inWindow(sizes[0], async ({ page }) => {
      await page.goto(`${dashboard.url}/#/session/${demoId}`)
      await page.locator('.row', { hasText: 'general-purpose' }).waitFor()
      const legend = await page.locator('.spent').innerText()
      for (const word of ['model', 'tools', 'waiting for permission', 'hooks', 'idle']) expect(legend).toContain(word)
      await page.locator('.logs .log').first().waitFor()
      const whole = await page.locator('.logs .log').count()
      await page.locator('.row', { hasText: 'Agent' }).first().click()
      await page.locator('.details dt', { hasText: 'input.summary' }).waitFor()
      await until('its log records alone', async () => (await page.locator('.logs .log').count()) < whole)
      await page.locator('.rows').press('Escape')
      expect(await page.locator('.details').count()).toBe(0)
    })
  }, 30_000)

  test('is moved through by keys alone', async () => {
    await inWindow(sizes[0], async ({ page }) => {
      await page.goto(dashboard.url)
      await page.locator('.connection.live').waitFor()
      await page.keyboard.press('2')
      await page.locator('nav [aria-current]', { hasText: 'History' }).waitFor()
      await page.locator('table tbody tr').first().waitFor()
      await page.keyboard.press('/')
      await page.keyboard.type('no such row')
      await page.getByText('No row has these words.').waitFor()
      await page.keyboard.press('Escape')
      await page.keyboard.press('3')
      await page.locator('nav [aria-current]', { hasText: 'Health' }).waitFor()

      await page.goto(`${dashboard.url}/#/session/${demoId}`)
      const rows = page.locator('.rows')
      await rows.locator('.row').first().waitFor()
      await rows.focus()
      for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown']) await page.keyboard.press(key)
      expect(await rows.locator('[aria-selected=true]').count()).toBe(1)
      const before = await rows.locator('.row').count()
      await page.keyboard.press('Home')
      await page.keyboard.press('ArrowLeft')
      await until('the session to be folded', async () => (await rows.locator('.row').count()) === 1)
      await page.keyboard.press('ArrowRight')
      await until('the session to be open', async () => (await rows.locator('.row').count()) === before)
      await page.keyboard.press('+')
      await page.getByText(/shown: show all/).waitFor()
      await page.keyboard.press('0')
      expect(await page.getByText(/shown: show all/).count()).toBe(0)
    })
  }, 30_000)

  test('sorts, filters and gives away its tables', async () => {
    await inWindow(sizes[0], async ({ page }) => {
      await page.goto(`${dashboard.url}/#/history`)
      await page.getByRole('button', { name: 'Models', exact: true }).click()
      const cells = page.locator('tbody tr td:first-child')
      await until('two models', async () => (await cells.count()) === 2)
      await page.locator('thead').getByRole('button', { name: 'Model' }).click()
      expect(await cells.allInnerTexts()).toEqual(['haiku-4-5', 'opus-5-5'])
      await page.locator('thead').getByRole('button', { name: 'Model' }).click()
      expect(await cells.allInnerTexts()).toEqual(['opus-5-5', 'haiku-4-5'])
      await page.getByPlaceholder('Filter').fill('haiku')
      expect(await cells.allInnerTexts()).toEqual(['haiku-4-5'])
      const read = async (name: string) => {
        const download = page.waitForEvent('download')
        await page.getByRole('button', { name, exact: true }).click()
        return readFileSync(await (await download).path(), 'utf8')
      }
      expect(await read('CSV')).toBe(
        'Model,Tokens,Cost $,Input,Cache written,Cache read,Output\r\nclaude-haiku-4-5,1372000,5,4000,160000,1200000,8000\r\n',
      )
      expect(JSON.parse(await read('JSON'))).toEqual([
        expect.objectContaining({ Model: 'claude-haiku-4-5', Tokens: 1_372_000, 'Cost $': 5 }),
      ])
    })
  }, 30_000)

  test('shows what claude-otel and Claude Code tell as one session, and who tells of what', async () => {
    const both = readBoth('terminal')
    await send(batchesOf(both))
    await inWindow(sizes[0], async ({ page }) => {
      await page.goto(`${dashboard.url}/#/session/${String(both.spans[0]?.attributes['session.id'])}`)
      const rows = page.locator('.rows .row')
      await rows.filter({ hasText: '/compact' }).locator('.origin', { hasText: 'Claude Code' }).waitFor()
      expect(await rows.filter({ hasText: 'Touch another' }).count()).toBe(1)
      expect(await rows.filter({ hasText: 'touch forbidden' }).count()).toBe(1)
      await rows.filter({ hasText: 'touch allowed' }).click()
      const parts = page.locator('.details h3')
      await until('all who tell of it', async () => (await parts.count()) === 4)
      expect(await parts.allInnerTexts()).toEqual([
        'execute_tool Bash claude-otel',
        'claude_code.tool Claude Code, span',
        'claude_code.tool.execution Claude Code, span',
        'tool_result Claude Code, event',
      ])
      // Our records of the call; Claude Code's result and decision say the same.
      const events = page.locator('.logs .log b')
      expect((await events.allInnerTexts()).filter((event) => /^tool/.test(event))).toEqual(['tool.start', 'tool.end'])
      await page.locator('.log', { hasText: 'tool.end' }).click()
      expect(await rows.filter({ hasText: 'touch allowed' }).getAttribute('aria-selected')).toBe('true')
      // An event of Claude Code leads to the row of what it names, not to the turn that it was told in.
      await page.getByText('of the chosen span: show all').click()
      await page.getByLabel('Filter log records').fill('api_request')
      await page.locator('.log').first().click()
      await rows.and(page.locator('[aria-selected=true]')).filter({ hasText: 'opus-5-5' }).waitFor()
    })
  }, 30_000)

  test('is where it was after a reload, and says in its title what it shows', async () => {
    await inWindow(sizes[0], async ({ page }) => {
      await page.goto(`${dashboard.url}/#/session/${demoId}`)
      const rows = page.locator('.rows')
      await rows.locator('.row').first().waitFor()
      await page.keyboard.press('t')
      for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'Enter']) await page.keyboard.press(key)
      await page.getByText(/shown: show all/).waitFor()
      const chosen = await rows.locator('[aria-selected=true]').innerText()
      await until('the address to say so', () => /span=.+&time=\d+-\d+$/.test(page.url()))
      await page.reload()
      await page.getByText(/shown: show all/).waitFor()
      expect(await rows.locator('[aria-selected=true]').innerText()).toBe(chosen)
      expect(await page.title()).toBe('go · claude-otel')

      await page.goto(`${dashboard.url}/#/history?by=model&days=7&q=haiku&sort=Model`)
      const cells = page.locator('tbody tr td:first-child')
      await until('the filtered row', async () => (await cells.allInnerTexts()).join() === 'haiku-4-5')
      expect(await page.getByRole('button', { name: '7 days' }).getAttribute('aria-pressed')).toBe('true')
      expect(await page.title()).toBe('History · claude-otel')
    })
  }, 30_000)

  test('has a list of its keys, and can be gone through by them', async () => {
    await inWindow(sizes[0], async ({ page }) => {
      await page.goto(dashboard.url)
      await page.locator('.connection.live').waitFor()
      await page.keyboard.press('?')
      await page.locator('dialog[open]', { hasText: 'go to the trace' }).waitFor()
      // While it is open, keys are not for the page below.
      await page.keyboard.press('3')
      expect(await page.locator('nav [aria-current]').innerText()).toBe('Now')
      await page.keyboard.press('Escape')
      await page.locator('dialog[open]').waitFor({ state: 'detached' })
      await page.keyboard.press('Tab')
      expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    })
  }, 30_000)

  test('keeps what it shows while the hub is away, says of when it is, and goes on when it is back', async () => {
    const open = (port: number) => startDashboard({ host: '127.0.0.1', port, store, feed, health: () => [] })
    const first = await open(0)
    const window = await openWindow(browser, sizes[0])
    const { page } = window
    let again: Dashboard | undefined
    try {
      await page.goto(`${first.url}/#/session/${demoId}`)
      await page.locator('.rows .row').first().waitFor()
      await first.close()
      await page.getByText('The hub does not answer. What is shown is of').waitFor()
      expect(await page.locator('.rows .row').count()).toBeGreaterThan(5)
      await page.keyboard.press('2')
      await page.getByText('The hub does not answer; it is asked again by itself.').waitFor()
      again = await open(first.port)
      await page.getByText('This hub tracks no usage.').waitFor()
      await page.locator('.connection.live').waitFor()
      expect(await page.locator('.absent').count()).toBe(0)
    } finally {
      await page.close()
      await again?.close()
    }
  }, 30_000)

  test('leaves the rows of a table where they are while somebody points at them', async () => {
    await inWindow(sizes[0], async ({ page }) => {
      active.log('claude.user_prompt', 1, { 'prompt.preview': 'The older of two' })
      const newer = new Story(`newer-${Math.random()}`, active.beginUnixMicro + 10_000_000)
      newer.log('claude.user_prompt', 1, { 'prompt.preview': 'The newer of two' })
      await send([...active.batches(), ...newer.batches()])
      await page.goto(`${dashboard.url}/#/history?by=sessionId&q=of+two`)
      const cells = page.locator('tbody tr td:first-child')
      await until('both', async () => (await cells.count()) === 2)
      expect(await cells.allInnerTexts()).toEqual(['The newer of two', 'The older of two'])
      await cells.first().hover()
      const more = new Story(active.sessionId, Date.now() * 1000)
      more.log('session.end', 0, { 'session.end_reason': 'exit' })
      await send(more.batches())
      await page.locator('tbody tr', { hasText: 'older' }).getByText('ended').waitFor()
      expect(await cells.allInnerTexts()).toEqual(['The newer of two', 'The older of two'])
      await page.mouse.move(5, 5)
      await until('the order of now', async () => (await cells.allInnerTexts())[0] === 'The older of two')
    })
  }, 30_000)

  test('scrolls through ten thousand spans without a stutter', async () => {
    await inWindow(sizes[0], async ({ page }) => {
      await page.goto(`${dashboard.url}/#/session/long`)
      await page.getByText('9,901 spans').waitFor()
      expect(await page.locator('.rows .row').count()).toBeLessThan(80)
      // The processor's time of the page's own thread, which other work on the machine does not lengthen.
      const cdp = await page.context().newCDPSession(page)
      await cdp.send('Performance.enable', { timeDomain: 'threadTicks' })
      const workMs = async () => {
        const { metrics } = await cdp.send('Performance.getMetrics')
        return 1000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN)
      }
      const frames = 60
      const perFrame = async (pixels: number) => {
        const before = await workMs()
        expect(await page.evaluate(scrollScript(pixels, frames))).toBe(pixels * frames)
        return (await workMs()) - before
      }
      const [far, near] = [(await perFrame(1500)) / frames, (await perFrame(100)) / frames]
      console.log(`work per frame: ${far.toFixed(1)} ms a page at a time, ${near.toFixed(1)} ms four rows at a time`)
      // One frame of a screen is 16.7 ms.
      expect(near).toBeLessThan(16.7)
      expect(far).toBeLessThan(33)
      await page.locator('.rows').press('End')
      await page.locator('.row[aria-selected=true]', { hasText: 'Bash' }).waitFor()
    })
  }, 60_000)

  for (const size of sizes) {
    for (const colorScheme of ['light', 'dark'] as const) {
      test(`fits a ${size.name} window, ${colorScheme}`, async () => {
        await inWindow({ ...size, colorScheme }, async ({ page }) => {
          active.log('claude.user_prompt', 1, { 'prompt.preview': 'A prompt that is long enough to be cut '.repeat(5) })
          for (const at of [2, 4, 6]) active.chat(at, at + 1, [10, 20, 30_000 + at * 1000, 40])
          await send(active.batches())
          for (const path of ['now', 'history', 'health', `session/${demoId}`]) {
            await page.goto(`${dashboard.url}/#/${path}`)
            await page.locator('main .card').first().waitFor()
            const [content, window] = (await page.evaluate(
              '[document.documentElement.scrollWidth, innerWidth]',
            )) as readonly number[]
            expect(`${path}: ${content}`).toBe(`${path}: ${window}`)
            const name = path.split('/')[0]
            const picture = await page.screenshot({ path: join(pictures, `${name}-${size.name}-${colorScheme}.png`) })
            expect(picture.length).toBeGreaterThan(5000)
          }
          const ground = await page.evaluate('getComputedStyle(document.body).backgroundColor')
          expect(ground).toBe(colorScheme === 'dark' ? 'rgb(22, 23, 26)' : 'rgb(246, 245, 242)')
        })
      }, 30_000)
    }
  }
})

/** Scrolls so far in each frame, from the top; gives how far it came. */
function scrollScript(pixels: number, frames: number): string {
  return `(async () => {
    const list = document.querySelector('.rows')
    list.scrollTop = 0
    for (let step = 0; step < ${frames}; step += 1) {
      await new Promise(requestAnimationFrame)
      list.scrollTop += ${pixels}
    }
    await new Promise(requestAnimationFrame)
    return list.scrollTop
  })()`
}
