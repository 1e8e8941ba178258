import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ContenderName } from './contenders/all.ts'
import type { HandlerName } from './handlers.ts'

/** What a process is for. */
export type Assignment = WorkAssignment | PaceAssignment | QuickAssignment

export interface WorkAssignment {
  readonly kind: 'work'
  readonly contender: ContenderName
  readonly url: string
  /** Workers in the process, and the handlers of each at once. */
  readonly workers: number
  readonly concurrency: number
  readonly handler: HandlerName
  /** Whether the report tells when each job's handler began. */
  readonly record: boolean
}

/** So many single jobs at a rate, or those for which the time is enough. */
export interface PaceAssignment {
  readonly kind: 'pace'
  readonly contender: ContenderName
  readonly url: string
  readonly rate: number
  readonly jobs: number
}

/** So many jobs as quickly as it goes: arrays of a size one after the other, or singles. */
export interface QuickAssignment {
  readonly kind: 'quick'
  readonly contender: ContenderName
  readonly url: string
  readonly jobs: number
  readonly connections: number
  /** Jobs of one call; 1: singles. */
  readonly size: number
  /** Calls that are under way at once. */
  readonly calls: number
}

export interface WorkReport {
  readonly handled: number
  /** When it was told that it is warm, and how many jobs it had begun by then; without that, when the first began. */
  readonly since: number
  readonly before: number
  /** Microseconds of CPU from then on. */
  readonly cpu: number
  /** The most memory, in kB. */
  readonly memory: number
  readonly starts: readonly (readonly [n: number, at: number])[]
}

/** When each job's enqueueing was answered; how long all of it took, in milliseconds. */
export interface EnqueueReport {
  readonly commits: readonly (readonly [n: number, at: number])[]
  readonly elapsed: number
}

interface Message {
  readonly ready?: true
  readonly working?: true
  readonly handled?: number
  readonly report?: unknown
}

const script = fileURLToPath(new URL('./child.ts', import.meta.url))

/** A process that does one assignment. */
export class Process<Report> {
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>
  readonly #last: { [Name in keyof Message]: Message[Name] } = {}
  #news: () => void = () => {}

  private constructor(assignment: Assignment) {
    const flags = (process.env.BENCH_NODE_FLAGS ?? '').split(' ').filter((flag) => flag !== '')
    this.#child = fork(script, [JSON.stringify(assignment)], { execArgv: flags, serialization: 'advanced' })
    this.#exit = once(this.#child, 'exit').then(([code]) => {
      if (code !== 0) this.#failed = new Error(`${assignment.contender}: the process ended with ${code}`)
      this.#news()
    })
    this.#child.on('message', (message: Message) => {
      Object.assign(this.#last, message)
      this.#news()
    })
  }
  #failed: Error | undefined

  /** Resolves when the process is loaded and waits to begin. */
  static async prepare<Report>(assignment: Assignment): Promise<Process<Report>> {
    const made = new Process<Report>(assignment)
    await made.#until(() => made.#last.ready)
    return made
  }

  /** How many jobs it has begun. */
  get handled(): number {
    return this.#last.handled ?? 0
  }

  begin(): void {
    this.#child.send('begin')
  }

  /** Tells it that it is warm: what it reports begins now. */
  warm(): void {
    this.#child.send('warm')
  }

  async working(): Promise<void> {
    await this.#until(() => this.#last.working)
  }

  /** Resolves when something was heard of it. */
  async news(): Promise<void> {
    let first = true
    await this.#until(() => {
      const again = !first
      first = false
      return again
    })
  }

  /** What it has to say at its end. */
  async report(): Promise<Report> {
    await this.#until(() => this.#last.report)
    return this.#last.report as Report // the child's, by the kind of the assignment
  }

  /** Reports, and ends. */
  async stop(): Promise<Report> {
    this.#child.send('stop')
    const report = await this.report()
    await this.#exit
    return report
  }

  async #until(condition: () => unknown): Promise<void> {
    while (!condition()) {
      if (this.#failed !== undefined) throw this.#failed
      await new Promise<void>((resolve) => {
        this.#news = resolve
      })
    }
  }
}
