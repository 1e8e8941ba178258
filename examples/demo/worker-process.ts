import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** A worker in a process of its own. */
export interface WorkerProcess {
  /** As in "worker 1". */
  readonly number: number
  readonly process: ChildProcess
  /** The uuid in `locked_by` of its jobs; undefined until it works. */
  id: string | undefined
}

/** Starts a worker process. The URL goes through the environment: arguments are there for all to see. */
export function startWorker(url: string, number: number): WorkerProcess {
  const child = fork(new URL('./worker.ts', import.meta.url), { env: { ...process.env, DATABASE_URL: url } })
  const worker: WorkerProcess = { number, process: child, id: undefined }
  child.once('message', (id) => {
    worker.id = String(id)
  })
  return worker
}

/** Whether the process still runs. */
export function isAlive({ process: child }: WorkerProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

/** Ends a worker, and waits for its end. */
export async function endWorker(worker: WorkerProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (!isAlive(worker)) return
  const ended = once(worker.process, 'exit')
  worker.process.kill(signal)
  await ended
}
