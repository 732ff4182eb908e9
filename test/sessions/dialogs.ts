/** Sittings at permission dialogs: granted after a while, rejected, never answered. */

import { expect } from 'bun:test'
import { text, tools } from '../kit/messages-api.ts'
import type { Span } from '../kit/otlp-sink.ts'
import type { Terminal } from '../kit/terminal.ts'
import { until } from '../kit/until.ts'
import { sessionsOf } from './play.ts'
import { hungUp, manual, ready, type Sitting } from './sittings.ts'
import { bash, endless, model } from './words.ts'

const question = 'Do you want to proceed?'

const rejected = `
  claude.session
    invoke_agent claude-code !
      chat ${model}
      execute_tool Bash tool.status=denied !
`

function callsOf(spans: readonly Span[]): Span[] {
  return spans.filter(({ name }) => name === 'execute_tool Bash').sort((a, b) => a.startUnixMicro - b.startUnixMicro)
}

function lengthMs({ startUnixMicro, endUnixMicro }: Span): number {
  return (endUnixMicro - startUnixMicro) / 1000
}

async function asked(terminal: Terminal): Promise<void> {
  await ready(terminal)
  await terminal.enter('Touch it')
  await terminal.shows(question)
}

export const dialogs: readonly Sitting[] = [
  {
    title: 'a tool permitted after a while, and one rejected',
    args: ['--permission-mode', 'manual'],
    script: () => ({ main: [tools(bash('touch allowed')), text('Touched.'), tools(bash('touch forbidden'))] }),
    async act(terminal, { home }) {
      await terminal.shows('? for shortcuts')
      await terminal.enter('Touch one')
      await terminal.shows('Do you want to proceed?')
      await Bun.sleep(800)
      terminal.press('Enter')
      await terminal.shows('Touched.')
      await terminal.enter('Touch another')
      await terminal.shows('Do you want to proceed?')
      terminal.press('Escape')
      await terminal.shows('Interrupted')
      await terminal.enter('/exit')
      const isThere = (name: string) => Bun.file(`${home.project}/${name}`).exists()
      return { allowed: await isThere('allowed'), forbidden: await isThere('forbidden') }
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code
            chat claude-opus-5-5
            execute_tool Bash tool.status=success
            chat claude-opus-5-5
          invoke_agent claude-code !
            chat claude-opus-5-5
            execute_tool Bash tool.status=denied !
      `,
    ],
    also(spans) {
      const permitted = spans.find((span) => span.attributes['tool.status'] === 'success')
      if (permitted === undefined) throw new Error('no call was permitted')
      const { permission_wait_ms: waited, duration_ms: ran } = permitted.attributes
      expect(waited).toBeGreaterThanOrEqual(800)
      expect(Number(waited) + Number(ran)).toBeCloseTo(lengthMs(permitted), -1)
    },
  },
  {
    title: 'a tool rejected by the choice of No',
    args: manual,
    script: () => ({ main: [tools(bash('touch forbidden'))] }),
    async act(terminal) {
      await asked(terminal)
      terminal.press('Down', 'Down', 'Down')
      await terminal.shows('❯ 4. No')
      await terminal.pressUntil('Enter', 'Interrupted')
      await terminal.enter('/exit')
    },
    trees: [rejected],
    also(spans, { sink }) {
      const [call] = callsOf(spans)
      expect(call?.attributes).toMatchObject({ 'error.type': 'permission_denied', duration_ms: 0 })
      expect(Number(call?.attributes.permission_wait_ms)).toBeCloseTo(call === undefined ? 0 : lengthMs(call), -1)
      const granted = sink.logs().filter(({ eventName }) => eventName === 'claude.permission.granted')
      expect(granted).toEqual([])
    },
  },
  {
    title: 'two equal calls, one permitted and one rejected',
    args: manual,
    script: () => ({ main: [tools(bash('touch it'), bash('touch it'))] }),
    async act(terminal, { home }) {
      await asked(terminal)
      // The second dialog looks like the first, which is gone when its command has run.
      await until('the first to run', async () => {
        if (await Bun.file(`${home.project}/it`).exists()) return true
        terminal.press('Enter')
        await Bun.sleep(700)
        return false
      })
      await terminal.shows(question)
      await terminal.pressUntil('Escape', 'Interrupted')
      await terminal.enter('/exit')
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code !
            chat ${model}
            execute_tool Bash tool.status=success
            execute_tool Bash tool.status=denied !
      `,
    ],
    also(spans, { sink }) {
      const [first, second] = callsOf(spans)
      const logsOf = (event: string) =>
        sink.logs().filter(({ eventName }) => eventName === `claude.permission.${event}`)
      expect(logsOf('asked').map(({ spanId }) => spanId)).toEqual([first?.spanId ?? '', second?.spanId ?? ''])
      expect(logsOf('granted').map(({ spanId }) => spanId)).toEqual([first?.spanId ?? ''])
      expect(logsOf('denied').map(({ spanId }) => spanId)).toEqual([second?.spanId ?? ''])
    },
  },
  {
    title: 'a permitted tool that is interrupted: nobody knows how long the person took',
    args: manual,
    script: (home) => ({ main: [endless(home).call] }),
    async act(terminal, { home }) {
      await asked(terminal)
      await until('the tool to run', async () => {
        if (await endless(home).runs()) return true
        terminal.press('Enter')
        await Bun.sleep(700)
        return false
      })
      await terminal.pressUntil('Escape', 'Interrupted')
      await terminal.enter('/exit')
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code !
            chat ${model}
            execute_tool Bash tool.status=interrupted !
      `,
    ],
    also(spans, { sink }) {
      const [call] = callsOf(spans)
      expect(Object.keys(call?.attributes ?? {})).not.toContain('duration_ms')
      expect(Object.keys(call?.attributes ?? {})).not.toContain('permission_wait_ms')
      const granted = sink.logs().filter(({ eventName }) => eventName === 'claude.permission.granted')
      expect(granted).toHaveLength(1)
    },
  },
  {
    title: 'a terminal that is closed while a dialog waits',
    args: manual,
    script: () => ({ main: [tools(bash('touch forbidden'))] }),
    async act(terminal, _, told) {
      await asked(terminal)
      await told('claude.permission.asked')
      terminal.close()
      return hungUp
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code !
            chat ${model}
            execute_tool Bash tool.status=interrupted !
      `,
    ],
    also(spans, { sink }) {
      const decisions = sink.logs().filter(({ eventName }) => /permission\.(granted|denied)/.test(eventName))
      expect(decisions).toEqual([])
      expect(Object.keys(callsOf(spans)[0]?.attributes ?? {})).not.toContain('duration_ms')
      expect(sessionsOf(spans)[0]?.attributes['session.end_reason']).toBe('other')
    },
  },
]
