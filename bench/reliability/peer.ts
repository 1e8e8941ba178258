/** What a job is told to do; `work` takes its time and ends early when its signal aborts. */
export type Act =
  | 'work'
  | 'late'
  | 'exit'
  | 'throw undefined'
  | 'throw a circle'
  | 'throw a NUL'
  | 'throw 10 MB'
  | 'never settle'
  | 'leave a rejection floating'

/** What every job carries, whatever the queue. Its key is what the witness knows it by. */
export interface Payload {
  readonly key: string
  readonly act: Act
  /** Milliseconds. */
  readonly takes: number
}

/** One run of a handler, as all queues can tell it. */
export interface Attempt {
  readonly payload: Payload
  /** From 1. */
  readonly number: number
  readonly signal: AbortSignal
}

/** What all queues are set to alike; durations in milliseconds, whole seconds. */
export interface Settings {
  readonly concurrency: number
  readonly maxAttempts: number
  /** After which a job whose worker is gone may be taken over, where a queue can be told. */
  readonly expiry: number
  /** How long one attempt may take, where a queue can be told. */
  readonly timeout?: number
  /** How long handlers may run on after SIGTERM. */
  readonly grace: number
  /** A pool whose queries end after 5 s, where the queue brings no bounds of its own. */
  readonly bounded?: boolean
}

export type WorkSettings = Settings & {
  readonly peer: PeerName
  /** The database under fault, through the proxy where there is one. */
  readonly url: string
  readonly witness: string
}

export type PeerName = 'ours' | 'graphile' | 'boss'

/** How a row stands: `held` is locked or active, by somebody who may be gone. */
export type State = 'waiting' | 'held' | 'done' | 'failed'

export interface Enqueuer {
  add(payloads: readonly Payload[]): Promise<unknown>
  close(): Promise<unknown>
}

/** A queue under fault. */
export interface Peer {
  readonly title: string
  /** How it is set, and why; printed beneath the table. */
  readonly settings: string
  /** Makes its tables in an empty database. */
  setUp(url: string, settings: Settings): Promise<void>
  enqueuer(url: string, settings: Settings): Promise<Enqueuer>
  /** Works as its documentation has it; resolves when it has stopped for SIGTERM, rejects where it gives up. */
  work(settings: WorkSettings, handle: (attempt: Attempt) => Promise<void>, started: () => void): Promise<void>
  /** SQL: each job's `key`, `state` and what was recorded of its last error, `said`. */
  readonly states: string
  /** Whether a row that is not there any more is a job that is done. */
  readonly deletesDone: boolean
  /** SQL that lets the hold of all held jobs end, where its time can't be set. */
  readonly age?: string
}
