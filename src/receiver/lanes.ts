/** Only so many at a time; the others wait in the order in which they came. */

export interface Lane {
  /** Runs what the lane is for, now or when one becomes free. */
  enter(): void
  /** Gives the lane to the next one, or the place in the queue up; once. */
  leave(): void
}

export class Lanes {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  lane(run: () => void): Lane {
    let isInside = false
    const begin = () => {
      this.#free--
      isInside = true
      run()
    }
    return {
      enter: () => void (this.#free > 0 ? begin() : this.#waiting.add(begin)),
      leave: () => {
        this.#waiting.delete(begin)
        if (!isInside) return
        isInside = false
        this.#free++
        this.#admitNext()
      },
    }
  }

  #admitNext(): void {
    const next = this.#waiting.values().next().value
    if (next === undefined) return
    this.#waiting.delete(next)
    next()
  }
}
