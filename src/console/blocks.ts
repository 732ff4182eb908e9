/** A text that grows, in whole blocks of Markdown: what has come to its end can be rendered, the rest waits. Pure. */

/** A fence, or an empty line; anything else goes on with what it stands in. */
const fence = /^ {0,12}(`{3,}|~{3,})/

export class Blocks {
  private waiting = ''

  /** All that is complete with this part: blocks at whose end another has begun. */
  add(part: string): string | undefined {
    this.waiting += part
    const end = this.lastEnd()
    if (end === 0) return undefined
    const complete = this.waiting.slice(0, end)
    this.waiting = this.waiting.slice(end)
    return complete
  }

  /** What has come of the block that is not complete. */
  get rest(): string {
    return this.waiting
  }

  /** The rest; nothing follows. */
  end(): string | undefined {
    const rest = this.waiting
    this.waiting = ''
    return rest.trim() === '' ? undefined : rest
  }

  /** A block ends with an empty line outside of code that a line follows which does not stand in. */
  private lastEnd(): number {
    let [end, at, open] = [0, 0, '']
    let wasEmpty = false
    for (const line of this.waiting.split('\n')) {
      const isLast = at + line.length === this.waiting.length
      const [, mark = ''] = fence.exec(line) ?? []
      if (open === '' && wasEmpty && /^\S/.test(line) && at > 0) end = at
      if (mark !== '' && open === '' && !isLast) open = mark
      else if (open !== '' && mark.startsWith(open)) open = ''
      wasEmpty = line.trim() === '' && !isLast
      at += line.length + 1
    }
    return end
  }
}
