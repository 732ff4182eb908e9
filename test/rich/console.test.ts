/** A run in a pseudo-terminal, with the real claude: what a person sees, and what goes through a pipe beside it. */
import { describe, expect } from 'bun:test'
import { text, tools } from '../kit/messages-api.ts'
import { until } from '../kit/until.ts'
import { sessionsOf } from '../sessions/play.ts'
import { bash, endless } from '../sessions/words.ts'
import { inChat, still } from './chat-scene.ts'

const answer = '# Found\n\n- **one**\n\n```\ncode\n```'
const main = [tools(bash('echo one; echo two')), text(answer)]
const allowed = '--allowedTools Bash --'

/** What stands on the screen between the command and the shell's next prompt. */
function shown(screen: string): string[] {
  const lines = still(screen).map((line) => line.replace(/ [·|] 0\.1 s$/, ''))
  return lines.slice(lines.findIndex((line) => line.startsWith('$ ')) + 1, lines.lastIndexOf('$'))
}

describe('A run in a terminal', () => {
  inChat(
    'shows its tools, the answer as Markdown, what it took, and where its trace is',
    main,
    async ({ terminal, sink }) => {
      await terminal.shows(/trace [0-9a-f]{32}\n\$/)
      expect(shown(terminal.screen())).toEqual([
        '🔧 Bash - command="echo one; echo two", description="Run it"',
        '✅ Bash → 2 lines',
        '   one',
        '   two',
        '',
        'Found',
        '',
        '• one',
        '',
        '│ code',
        '',
        '🎉 Completed · 203 in, 83 out, 6.4k cached · $0.0057 · 1 tool',
        '   trace 0af7651916cd43dd8448eb211c80319c',
      ])
      expect(terminal.screen()).toContain(sessionsOf(sink.spans())[0]?.traceId ?? 'no trace')
    },
    { fromShell: `$P run ${allowed} Look`, ready: 'Bash' },
  )

  inChat(
    'gives a pipe the answer as the model gave it, and shows the rest',
    main,
    async ({ terminal }) => {
      await terminal.shows('🎉 Completed')
      const lines = shown(terminal.screen())
      expect(lines).toContain('✅ Bash → 2 lines')
      expect(lines).toContain('>- **one**$')
      expect(lines.join('\n')).not.toContain('• one')
    },
    { fromShell: `$P run ${allowed} Look | sed 's/^/>/; s/$/$/'`, ready: 'Bash' },
  )

  inChat(
    'shows the answer alone where stderr is no terminal',
    main,
    async ({ terminal, home }) => {
      await terminal.shows('ended 0')
      expect(await Bun.file(`${home.project}/err`).text()).toBe('')
      expect(shown(terminal.screen())).toEqual(['', 'Found', '', '• one', '', '│ code', 'ended 0'])
    },
    { fromShell: `$P run ${allowed} Look 2>err; echo "ended $?"`, ready: 'Found' },
  )

  inChat(
    'is words alone with --plain, in any order of arguments',
    main,
    async ({ terminal }) => {
      await terminal.shows('done: Completed')
      expect(shown(terminal.screen()).slice(0, 4)).toEqual([
        'tool: Bash - command="echo one; echo two", description="Run it"',
        'ok: Bash -> 2 lines',
        '   one',
        '   two',
      ])
      expect(terminal.colours()).not.toContain('\x1b[')
    },
    { fromShell: `$P run --plain ${allowed} Look`, ready: 'tool: Bash' },
  )

  inChat(
    'ends by Ctrl-C, and leaves nothing that moves',
    (home) => ({ main: [endless(home).call] }),
    async ({ terminal, home }) => {
      await until('the tool to run', endless(home).runs)
      await terminal.shows(/⠋|⠙|⠹|⠸|⠼|⠴|⠦|⠧|⠇|⠏/)
      terminal.press('C-c')
      await terminal.shows(/\n\$\n/)
      await terminal.enter('echo "ended $?"')
      await terminal.shows('ended 130')
      expect(terminal.screen()).not.toMatch(/⠋|⠙|⠹|⠸|⠼|⠴|⠦|⠧|⠇|⠏/)
    },
    { fromShell: `$P run ${allowed} Wait`, ready: 'Bash' },
  )
})
