/** A row as IHP reads it: every column of its own table. */
export interface IhpJob {
  readonly id: string
  readonly attempts_count: number
  readonly locked_by: string | null
  readonly run_at: Date
  readonly [column: string]: unknown
}

/** The loop of an IHP worker with one slot. It polls, as a table without triggers makes it do. */
export abstract class IhpLoop {
  readonly #pollInterval: number
  #stopped = false
  #running: Promise<void> | undefined
  #wake: () => void = () => {}

  constructor(pollInterval = 20) {
    this.#pollInterval = pollInterval
  }

  abstract fetchNextJob(): Promise<IhpJob | undefined>
  abstract countJobs(): Promise<number>
  abstract jobDidSucceed(job: IhpJob): Promise<void>
  abstract jobDidFail(job: IhpJob, exception: unknown): Promise<void>

  /** Runs jobs until {@link stop}: one claim for each job that a poll has counted. */
  start(handler: (job: IhpJob) => Promise<void>): void {
    this.#running = this.#poll(handler)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#wake()
    await this.#running
  }

  async #poll(handler: (job: IhpJob) => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      for (let left = await this.countJobs(); left > 0 && !this.#stopped; left -= 1) await this.#runNext(handler)
      if (!this.#stopped) await this.#nap()
    }
  }

  async #runNext(handler: (job: IhpJob) => Promise<void>): Promise<void> {
    const job = await this.fetchNextJob()
    if (job === undefined) return
    try {
      await handler(job)
    } catch (exception) {
      await this.jobDidFail(job, exception)
      return
    }
    await this.jobDidSucceed(job)
  }

  #nap(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#pollInterval)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
