import { randomUUID } from 'node:crypto'
import type { BulkProgress } from '../../queue/bulk-options.js'
import type { ChangedJobs } from '../../queue/changed-jobs.js'
import type { Action } from '../access.js'

/** How long (milliseconds) a run can be looked at after its end, and how many are kept. */
const kept = 600_000
const mostKept = 100

/** A bulk action that goes on behind its page. */
export interface BulkRun {
  readonly id: string
  /** What it does, as its page says it: "Retry". */
  readonly verb: string
  /** What became of jobs, as its page says it: "retried". */
  readonly done: string
  readonly action: Action
  readonly table: string
  /** Where one can look at them: the list, or the job. */
  readonly back: { readonly text: string; readonly href: string }
  readonly startedAt: number
  progress: BulkProgress | undefined
  /** What became of it. */
  end: { readonly at: number; readonly result?: ChangedJobs; readonly error?: string } | undefined
  isStopped: boolean
  readonly stop: () => void
}

/** The bulk actions of this process: they go on whoever looks. */
export class BulkRuns {
  readonly #runs = new Map<string, BulkRun>()

  find(id: string): BulkRun | undefined {
    return this.#runs.get(id)
  }

  /** Starts one; `ended` hears how many jobs it changed, also where it could not go on. */
  start(
    about: Pick<BulkRun, 'verb' | 'done' | 'action' | 'table' | 'back'>,
    work: (onProgress: (progress: BulkProgress) => void, signal: AbortSignal) => Promise<ChangedJobs>,
    ended: (changed: number) => void,
  ): BulkRun {
    const stopper = new AbortController()
    const run: BulkRun = {
      ...about,
      id: randomUUID(),
      startedAt: performance.now(),
      progress: undefined,
      end: undefined,
      isStopped: false,
      stop: () => {
        run.isStopped = true
        stopper.abort()
      },
    }
    this.#keep(run)
    const onProgress = (progress: BulkProgress) => {
      run.progress = progress
    }
    work(onProgress, stopper.signal).then(
      (result) => {
        run.end = { at: performance.now(), result }
        ended(result.length)
      },
      (error: unknown) => {
        run.end = { at: performance.now(), error: error instanceof Error ? error.message : String(error) }
        if (run.progress !== undefined && run.progress.changed > 0) ended(run.progress.changed)
      },
    )
    return run
  }

  /** Those that have ended long ago make room. */
  #keep(run: BulkRun): void {
    const now = performance.now()
    for (const [id, { end }] of this.#runs)
      if (end !== undefined && (now - end.at > kept || this.#runs.size >= mostKept)) this.#runs.delete(id)
    this.#runs.set(run.id, run)
  }
}
