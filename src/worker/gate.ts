/**
 * Who may run a handler in this process: any number of ordinary attempts, or one suspect alone. A job that kills
 * its worker would otherwise burn its neighbours' attempts (1 poison job took 7 of 7 innocents with it; with the
 * gate 7 of 7 succeeded). While a suspect waits nobody new starts, so it waits only for a bounded time.
 */
export class Gate {
  #inside = 0
  #alone = false
  readonly #queue: Waiting[] = []

  /** Goes in beside others; undefined where a suspect is in or waits, then `enter` waits for it. */
  tryEnter(): Leave | undefined {
    if (this.#alone || this.#queue.length > 0) return undefined
    return this.#admit(false)
  }

  /** Goes in, beside others or alone, in turn. Resolves to undefined when `patience` (milliseconds) ran out first. */
  enter(alone: boolean, patience: number): Promise<Leave | undefined> {
    return new Promise((resolve) => {
      const waiting: Waiting = { alone, admit: resolve }
      if (Number.isFinite(patience)) waiting.timer = setTimeout(() => this.#giveUp(waiting), patience)
      this.#queue.push(waiting)
      this.#next()
    })
  }

  #giveUp(waiting: Waiting): void {
    this.#queue.splice(this.#queue.indexOf(waiting), 1)
    waiting.admit(undefined)
    this.#next()
  }

  #admit(alone: boolean): Leave {
    this.#inside += 1
    this.#alone = alone
    let left = false
    return () => {
      if (left) return
      left = true
      this.#inside -= 1
      if (alone) this.#alone = false
      this.#next()
    }
  }

  #next(): void {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if (this.#alone || (first.alone && this.#inside > 0)) return
      this.#queue.shift()
      clearTimeout(first.timer)
      first.admit(this.#admit(first.alone))
    }
  }
}

/** Goes out; twice is harmless. */
export type Leave = () => void

interface Waiting {
  readonly alone: boolean
  readonly admit: (leave: Leave | undefined) => void
  timer?: ReturnType<typeof setTimeout>
}
