/** A worker of a runner, as the runner has written down. Durations are milliseconds. */
export interface WorkerState {
  /** Its table as the catalog has it. */
  readonly schema: string
  readonly table: string
  /** The worker's uuid: `locked_by` of the jobs that it runs, but for the last digit. */
  readonly id: string
  readonly state: 'new' | 'starting' | 'running' | 'stopping' | 'stopped'
  /** How many handlers run at once, and how many do now. */
  readonly concurrency: number
  readonly running: number
  readonly lease: number
  /** What the oldest lease has left; undefined where none is held. */
  readonly leaseMargin: number | undefined
  /** `off` where no `listen` was given; anything but `listening` means that polling does the work. */
  readonly listener: string
  readonly pollInterval: number
  readonly paused: 'worker' | 'table' | undefined
  /** When its last fetch came back, by its process' clock. */
  readonly lastFetch: Date | undefined
  /** It takes only jobs of a condition. */
  readonly where: boolean
  /** The most jobs that run at once over all workers, where its `limit` says so without `by`. */
  readonly total?: number | undefined
  /** Its options that go by keys, in a few words: `limit: 2 by tenant_id`. */
  readonly keyed: string | undefined
  /** How many jobs may run, of each key of `by` and (`total`) of all: null where a column of the row says it. Undefined: they are not limited. */
  readonly limit: WorkerLimit | undefined
}

export interface WorkerLimit {
  /** Columns, as the worker's options name them. */
  readonly by: readonly string[]
  readonly max?: number | null
  readonly total?: number
}
