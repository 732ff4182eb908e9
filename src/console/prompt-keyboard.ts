/**
 * The keyboard of a terminal: keys as they are pressed, given to whoever has the focus. While it is open the terminal makes
 * nothing of them by itself, Ctrl-C included; whatever happens, it is as before when the process ends.
 */
import { writeSync } from 'node:fs'
import type { ReadStream } from 'node:tty'
import { type Key, Keys } from './prompt-keys.ts'

/** An Escape that nothing follows for so long is a key. */
const escapeMs = 50
const pasteOn = '\x1b[?2004h'
/** What a terminal may still have on of ours: pastes told apart, a cursor that is hidden, a colour. */
const asBefore = '\x1b[?2004l\x1b[?25h\x1b[0m'

export type Handler = (key: Key) => void

export class Keyboard {
  private readonly keys = new Keys()
  private readonly decoder = new TextDecoder()
  private handlers: Handler[] = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private isOpen = false

  /** `onEnd` is told when the terminal is gone. */
  constructor(
    private readonly stdin: ReadStream,
    private readonly onEnd: () => void,
    private readonly write = writeNow,
  ) {}

  open(): void {
    this.stdin.on('data', this.onData)
    this.stdin.on('end', this.onEnd)
    process.on('exit', this.restore)
    this.begin()
    this.stdin.resume()
  }

  close(): void {
    this.stdin.off('data', this.onData)
    this.stdin.off('end', this.onEnd)
    process.off('exit', this.restore)
    clearTimeout(this.timer)
    this.restore()
    this.stdin.pause()
  }

  /** From now on keys go to this handler, until the function that it gives is called. */
  focus(handler: Handler): () => void {
    this.handlers.push(handler)
    return () => {
      this.handlers = this.handlers.filter((each) => each !== handler)
    }
  }

  /** As Ctrl-Z does elsewhere: the shell gets its terminal back, and this goes on, by `onResume`, when it says so. */
  suspend(onResume: () => void): void {
    if (process.platform === 'win32') {
      onResume()
      return
    }
    this.restore()
    process.once('SIGCONT', () => {
      this.begin()
      onResume()
    })
    process.kill(0, 'SIGTSTP')
  }

  private begin(): void {
    try {
      this.stdin.setRawMode(true)
    } catch {
      // Whoever let this go on has taken the terminal along.
      this.onEnd()
      return
    }
    this.isOpen = true
    this.write(pasteOn)
  }

  private readonly restore = (): void => {
    if (!this.isOpen) return
    this.isOpen = false
    this.write(asBefore)
    try {
      this.stdin.setRawMode(false)
    } catch {
      // There is no terminal any more.
    }
  }

  private readonly onData = (chunk: Buffer): void => {
    clearTimeout(this.timer)
    this.give(this.keys.add(this.decoder.decode(chunk, { stream: true })))
    if (this.keys.isWaiting) this.timer = setTimeout(() => this.give(this.keys.flush()), escapeMs)
  }

  private give(keys: readonly Key[]): void {
    for (const key of keys) this.handlers.at(-1)?.(key)
  }
}

/** At once, also when the process is about to end. */
function writeNow(text: string): void {
  try {
    writeSync(2, text)
  } catch {
    // Nobody sees it.
  }
}
