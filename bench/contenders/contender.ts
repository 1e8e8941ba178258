/** What every job carries: its number. */
export interface Payload {
  readonly n: number
}

/** Jobs of a backlog became due so long after one another: as if enqueued one by one, 10,000 a second. */
export const apart = '0.1 ms'

export type Handle = (payload: Payload) => unknown

export interface WorkOptions {
  readonly workers: number
  /** Handlers at once in each. */
  readonly concurrency: number
}

/** One way to run jobs. All have the same payload, the same handler, and commits that reach the disk. */
export interface Contender {
  /** As the tables show it. */
  readonly title: string
  /** Makes its tables in an empty database. */
  migrate(url: string): Promise<void>
  /** Empties its tables and puts so many jobs in, due now; never measured. */
  fill(url: string, jobs: number): Promise<void>
  /** Runs jobs in so many workers of this process until the function it gives is called. */
  work(url: string, options: WorkOptions, handle: Handle): Promise<() => Promise<unknown>>
  /** SQL: whether any job is not done, as `unfinished`. */
  readonly unfinished: string
  enqueuer(url: string, connections: number): Promise<Enqueuer>
}

export interface Enqueuer {
  one(payload: Payload): Promise<unknown>
  many(payloads: readonly Payload[]): Promise<unknown>
  close(): Promise<unknown>
}
