import type { WorkerEvents } from '../worker/events.js'
import type { Worker } from '../worker/worker.js'
import type { SuiteJob } from './scene.js'
import type { SuiteDatabase } from './suite-table.js'

type Events = WorkerEvents<SuiteJob>

/** The next event of a worker that fits. */
export function nextEvent<Name extends keyof Events>(
  worker: Worker<SuiteDatabase, 'jobs'>,
  name: Name,
  fits: (payload: Events[Name][0]) => boolean = () => true,
): Promise<Events[Name][0]> {
  return new Promise((resolve) => {
    const listener = (payload: Events[Name][0]) => {
      if (!fits(payload)) return
      worker.off(name, listener)
      resolve(payload)
    }
    worker.on(name, listener)
  })
}

/** Resolves when workers have ended so many jobs, however, and it is written. */
export function endedJobs(workers: readonly Worker<SuiteDatabase, 'jobs'>[], count: number): Promise<void> {
  return new Promise((resolve) => {
    let ended = 0
    const one = () => {
      ended += 1
      if (ended === count) resolve()
    }
    for (const worker of workers) worker.on('succeeded', one).on('failed', one)
  })
}
