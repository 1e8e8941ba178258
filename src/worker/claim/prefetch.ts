import { averageSize } from './job-size.js'

/** So much work (milliseconds) is claimed ahead at most, and so many rows: enough to bridge a fetch, too little to hoard. */
const workAhead = 50
const rowsAhead = 2_000

/** What a handler takes at least (milliseconds): what is done for it, whatever it does itself. */
const shortestHandler = 0.025

/** The most rows of one fetch: half of them, so that one batch is on its way while another is worked off. */
const largestFetch = rowsAhead / 2

/** The most rows of the first fetch, when nobody knows how large jobs are, and by how much the next may be larger. */
const firstFetch = 8
const growth = 8

/** What a worker holds, in jobs. */
export interface HeldJobs {
  readonly running: number
  /** Claimed and not begun. */
  readonly ready: number
  /** Ended, with an outcome that is not written. */
  readonly unwritten: number
}

/** How much memory may be claimed. */
export interface MemoryLimit {
  readonly mostRows: number
  readonly left: number
}

/** How fast handlers are, and how large jobs, and so how much is worth being claimed ahead of them. */
export class Prefetch {
  /** How many jobs all slots take, and one of them. */
  readonly #concurrency: number
  readonly #batch: number
  readonly #memory: MemoryLimit
  /** How long a handler takes, in milliseconds: a moving average. */
  #average = workAhead
  /** How many bytes a job takes. */
  #size = 0
  #largestFetch = firstFetch
  /** When (monotonic milliseconds) the last slot was taken or freed. */
  #lastMove = performance.now()

  /** @param slots how many handlers run at once @param batch how many jobs one takes */
  constructor(slots: number, memory: MemoryLimit, batch = 1) {
    this.#concurrency = slots * batch
    this.#batch = batch
    this.#memory = memory
  }

  /** A slot was taken, or freed. */
  moved(): void {
    this.#lastMove = performance.now()
  }

  /** How long a handler takes, in milliseconds. */
  get average(): number {
    return this.#average
  }

  /** A handler took so many milliseconds. */
  took(milliseconds: number): void {
    this.#average += (milliseconds - this.#average) / 16
  }

  /** A fetch brought these jobs. Larger ones count at once, smaller ones by and by. */
  brought(jobs: readonly object[]): void {
    if (jobs.length === 0) return
    const size = averageSize(jobs)
    this.#size = Math.max(size, (this.#size + size) / 2)
    const most = Math.min(Math.max(this.#concurrency, largestFetch), this.#memory.mostRows)
    this.#largestFetch = Math.min(most, this.#largestFetch * growth)
  }

  /** How many bytes jobs take. */
  bytesOf({ running, ready, unwritten }: HeldJobs): number {
    return (running + ready + unwritten) * this.#size
  }

  /** All slots are taken, and for so long (milliseconds) none of them was freed. */
  isStalled(running: number, limit: number): boolean {
    return running >= this.#concurrency && performance.now() - this.#lastMove > limit
  }

  /** How many more jobs to claim; 0 while more than half of what is claimed ahead is still there. */
  room({ running, ready, unwritten }: HeldJobs): number {
    const ahead = this.#ahead(running, unwritten)
    if (ready > ahead / 2 || unwritten >= rowsAhead) return 0
    const room = Math.max(0, this.#concurrency + ahead - running - ready)
    const rows = room < this.#batch ? 0 : this.#whole(Math.min(room, this.#largestFetch))
    const fitting = this.#size === 0 ? rows : Math.floor(this.#memory.left / this.#size)
    const least = running + ready + unwritten === 0 ? 1 : 0 // however large: who holds nothing takes one
    return Math.min(rows, Math.max(least, fitting))
  }

  /** Without the part of a batch that would go alone; the first fetches are smaller than one. */
  #whole(rows: number): number {
    return rows < this.#batch ? rows : rows - (rows % this.#batch)
  }

  /** How many jobs to have claimed ahead: fewer where their outcomes are written more slowly than they end. */
  #ahead(running: number, unwritten: number): number {
    if (this.isStalled(running, workAhead)) return 0
    const inTime = (this.#concurrency * workAhead) / Math.max(shortestHandler, this.#average)
    const batches = Math.ceil(Math.max(0, Math.floor(inTime) - this.#concurrency) / this.#batch)
    return Math.min(batches * this.#batch, rowsAhead, Math.max(0, 2 * (rowsAhead - unwritten)))
  }
}
