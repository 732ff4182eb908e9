/**
 * A program in a pseudo-terminal, through a tmux server of its own: what is on the screen can be read,
 * keys can be pressed, and the server is ended by its own socket only.
 */

import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { until } from './until.ts'

export interface TerminalOptions {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** A folder of the test's own for the server's socket and the program's exit code. */
  readonly folder: string
  /** 140 unless told. */
  readonly columns?: number
}

export interface Terminal {
  screen(): string
  /** The screen with its colours, as escape sequences. */
  colours(): string
  /** Makes the terminal as wide as that. */
  resize(columns: number): void
  /** Types text and presses Enter; a TUI takes both in one write for a paste, hence the pause. */
  enter(text: string): Promise<void>
  /** Pastes text, as the terminal does that a program has asked to tell pastes apart. */
  paste(text: string): Promise<void>
  /** Presses keys by tmux's names: `Escape`, `C-c`, `Enter`. */
  press(...keys: string[]): void
  /** Presses keys again and again until the screen shows it: a dialog takes none while it is being drawn. */
  pressUntil(keys: string, wanted: string | RegExp): Promise<void>
  /** Sends a signal to the program itself. */
  signal(name: NodeJS.Signals): void
  /** Waits until the screen shows it; the error holds the screen. */
  shows(wanted: string | RegExp, timeoutMs?: number): Promise<void>
  /** Waits until the screen does not show it any more. */
  gone(unwanted: string, timeoutMs?: number): Promise<void>
  /** Waits for the program's end and gives its exit code as a shell sees it. */
  exited(timeoutMs?: number): Promise<number>
  close(): void
}

/** Starts the program on a screen of 45 rows; needs tmux on the PATH. */
export async function startTerminal({ command, cwd, env, folder, columns = 140 }: TerminalOptions): Promise<Terminal> {
  const socket = join(folder, 'tmux', 'socket')
  const codeFile = join(folder, 'tmux', 'exit-code')
  await mkdir(dirname(socket), { recursive: true })
  const tmux = (...args: string[]): string => {
    const result = Bun.spawnSync(['tmux', '-S', socket, '-f', '/dev/null', ...args], { cwd, env: { ...env } })
    if (result.exitCode !== 0) throw new Error(`tmux ${args.join(' ')}: ${result.stderr.toString()}`)
    return result.stdout.toString()
  }
  // The shell stays behind the program only to write down how it ended, and keeps the screen; the trap lets Ctrl-C
  // reach the program and spares the shell.
  const script = 'trap : INT QUIT; "$@"; echo $? > "$CODE_FILE.part"; mv "$CODE_FILE.part" "$CODE_FILE"; exec sleep 600'
  const program = ['sh', '-c', script, 'sh', ...command]
  tmux('new-session', '-d', '-x', `${columns}`, '-y', '45', '-e', `CODE_FILE=${codeFile}`, ...program)

  const waitFor = (what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 30_000) =>
    until(what, condition, { timeoutMs, everyMs: 30 }).catch((reason: Error) => {
      throw new Error(`${reason.message}\n${screen()}`)
    })
  const screen = () => tmux('capture-pane', '-p')
  const isShown = (wanted: string | RegExp) =>
    typeof wanted === 'string' ? screen().includes(wanted) : wanted.test(screen())
  const press = (...keys: string[]) => void tmux('send-keys', ...keys)
  return {
    screen,
    colours: () => tmux('capture-pane', '-p', '-e'),
    resize: (to) => void tmux('resize-window', '-x', `${to}`, '-y', '45'),
    press,
    async enter(text) {
      tmux('send-keys', '-l', text)
      await Bun.sleep(400)
      press('Enter')
    },
    async paste(text) {
      const file = join(folder, 'tmux', 'paste')
      await Bun.write(file, text)
      tmux('load-buffer', file)
      tmux('paste-buffer', '-p', '-r')
    },
    async shows(wanted, timeoutMs) {
      await waitFor(`the screen to show ${wanted}`, () => isShown(wanted), timeoutMs)
    },
    async pressUntil(keys, wanted) {
      let pressed = 0
      await waitFor(`${keys} to show ${wanted}`, () => {
        if (isShown(wanted)) return true
        if (performance.now() - pressed < 700) return false
        press(keys)
        pressed = performance.now()
        return false
      })
    },
    signal(name) {
      const shell = tmux('display-message', '-p', '#{pane_pid}').trim()
      const [program = ''] = readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8').trim().split(' ')
      process.kill(Number.parseInt(program, 10), name)
    },
    async gone(unwanted, timeoutMs) {
      await waitFor(`${unwanted} to leave the screen`, () => !screen().includes(unwanted), timeoutMs)
    },
    async exited(timeoutMs) {
      await waitFor('the program in the terminal to end', () => Bun.file(codeFile).exists(), timeoutMs)
      return Number(await Bun.file(codeFile).text())
    },
    close: () => void Bun.spawnSync(['tmux', '-S', socket, 'kill-server'], { env: { ...env } }),
  }
}
