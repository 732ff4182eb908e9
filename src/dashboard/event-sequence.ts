/**
 * Which of Claude Code's own events of a session have come: they are numbered, and what is missing between two of them was lost. Each
 * process of a session begins anew, so that a number below the one before it is no gap. Order and repetition of what comes do not
 * matter, but for what comes after a thousand others.
 */

/** The last events, which others may still come in between. */
const maxOpen = 1000

export class EventSequence {
  /** By time, and at one time by number. */
  private readonly numbers: number[] = []
  private readonly times: number[] = []
  private settledLost = 0
  private settledUnixMicro = Number.NEGATIVE_INFINITY

  add(number: number, unixMicro: number): void {
    if (unixMicro <= this.settledUnixMicro) return
    let at = this.times.length
    while (at > 0 && this.isAfter(at - 1, number, unixMicro)) at -= 1
    if (this.times[at - 1] === unixMicro && this.numbers[at - 1] === number) return
    this.numbers.splice(at, 0, number)
    this.times.splice(at, 0, unixMicro)
    if (this.times.length > maxOpen) this.settle(maxOpen / 2)
  }

  /** How many are missing. What came before the first and after the last one of a process cannot be known. */
  get lost(): number {
    return this.settledLost + gaps(this.numbers)
  }

  private isAfter(at: number, number: number, unixMicro: number): boolean {
    const time = this.times[at] ?? 0
    return time > unixMicro || (time === unixMicro && (this.numbers[at] ?? 0) > number)
  }

  /** The oldest become a count, with the gap behind them. */
  private settle(count: number): void {
    const before = this.lost
    this.settledUnixMicro = this.times[count - 1] ?? this.settledUnixMicro
    this.numbers.splice(0, count)
    this.times.splice(0, count)
    this.settledLost += before - this.lost
  }
}

function gaps(numbers: readonly number[]): number {
  return numbers.reduce((sum, number, at) => {
    const before = numbers[at - 1] ?? number
    return number > before ? sum + number - before - 1 : sum
  }, 0)
}
