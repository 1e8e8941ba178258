/** What a caretaker needs of a worker. */
export interface Kept {
  readonly table: string
  /** Keeps the archive of its table, where it has one. @returns whether there is more to do soon */
  keepArchive?(): Promise<boolean>
}

/** How long (milliseconds) after a round comes the next; so long where there is more to do. Runners drift apart by a share of it. */
const roundInterval = 600_000
const soon = 5_000
const jitter = 0.2

/** Looks after the tables of a runner's workers: their archives are made room in, and emptied of what is old. */
export class Caretaker {
  readonly #workers: readonly Kept[]
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined
  #stopped = false

  constructor(workers: readonly Kept[]) {
    this.#workers = workers
  }

  start(): void {
    this.#round ??= this.#look()
  }

  /** Resolves when the round that is under way is over. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#round
  }

  async #look(): Promise<void> {
    let isMore = false
    for (const worker of this.#workers) {
      if (!this.#stopped) isMore = ((await worker.keepArchive?.()) ?? false) || isMore
    }
    if (this.#stopped) return
    const pause = (isMore ? soon : roundInterval) * (1 + Math.random() * jitter)
    this.#timer = setTimeout(() => {
      this.#round = this.#look()
    }, pause)
  }
}
