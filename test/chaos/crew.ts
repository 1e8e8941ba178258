import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Ballast, leftOver } from './ballast.ts'
import { workerProgram } from './bundle.ts'
import type { Silence } from './tables.ts'
import { epoch } from './witness.ts'
import type { ProcessSettings } from './worker-process.ts'

/** What a process tells of its worker. */
export interface Report {
  readonly event: string
  readonly facts: Record<string, any>
  readonly at: number
}

/** The signals by which we end a process. */
const deadly = new Set<NodeJS.Signals>(['SIGKILL', 'SIGTERM', 'SIGINT'])

/** A process of the crew: one worker. */
export class Hand {
  readonly child: ChildProcess
  readonly pid: number
  readonly reports: Report[] = []
  readonly #gone: Promise<void>
  #listeners: (() => void)[] = []
  #frozen: { since: number } | undefined
  readonly silences: Silence[] = []
  /** When it was first asked, or made, to end. */
  askedAt: number | undefined
  endedAt: number | undefined
  code: number | null = null
  signal: string | null = null

  constructor(child: ChildProcess) {
    this.child = child
    this.pid = child.pid ?? 0
    child.on('message', (message) => this.#hear({ ...(message as Report), at: epoch() }))
    child.on('error', () => {}) // a message to a process that is gone
    this.#gone = once(child, 'exit').then(([code, signal]) => {
      Object.assign(this, { code, signal, endedAt: epoch() })
      this.silences.push({ pid: this.pid, since: epoch(), until: Number.POSITIVE_INFINITY })
      for (const wake of this.#listeners.splice(0)) wake()
    })
  }

  #hear(report: Report): void {
    this.reports.push(report)
    for (const wake of this.#listeners.splice(0)) wake()
  }

  /** The first report that fits, of those to come and those that came. @throws where the process ends before it */
  async said(event: string, fits: (report: Report) => boolean = () => true): Promise<Report> {
    for (;;) {
      const found = this.reports.find((report) => report.event === event && fits(report))
      if (found !== undefined) return found
      if (this.endedAt !== undefined) throw new Error(`process ${this.pid} ended before it said ${event}`)
      await new Promise<void>((resolve) => this.#listeners.push(resolve))
    }
  }

  /** The same; undefined where none came in so many milliseconds. */
  async saidWithin(limit: number, event: string, fits: (report: Report) => boolean): Promise<Report | undefined> {
    const report = await Promise.race([this.said(event, fits), sleep(limit, undefined, { ref: false })])
    return report ?? undefined
  }

  /** How long after a moment its worker said so of its listener; undefined where it did not in so many milliseconds. */
  async saidOfListener(state: string, since: number, limit: number): Promise<number | undefined> {
    const report = await this.saidWithin(limit, 'listener', ({ facts, at }) => facts.state === state && at >= since)
    return report && report.at - since
  }

  send(signal: NodeJS.Signals): void {
    if (deadly.has(signal)) this.askedAt ??= epoch()
    const since = this.#frozen?.since ?? epoch()
    // what a killed process did last is not known to the millisecond
    if (signal === 'SIGKILL') this.silences.push({ pid: this.pid, since, until: Number.POSITIVE_INFINITY })
    if (signal === 'SIGSTOP') this.#frozen = { since: epoch() }
    this.child.kill(signal)
    if (signal === 'SIGCONT' && this.#frozen !== undefined) {
      this.silences.push({ pid: this.pid, since: this.#frozen.since, until: epoch() })
      this.#frozen = undefined
    }
  }

  /** Resolves when it is gone; one that does not end in so many milliseconds is killed, which is a breach. */
  async ended(limit: number): Promise<void> {
    const timer = setTimeout(() => {
      this.stuck = true
      this.child.kill('SIGKILL')
    }, limit)
    await this.#gone
    clearTimeout(timer)
  }

  /** It would not end. */
  stuck = false
  /** It had a job that ends its process. */
  deadly = false

  /** What is wrong with how it ended. */
  get complaints(): string[] {
    const name = `process ${this.pid}`
    if (this.stuck) return [`${name} did not end when it was asked to`]
    if (this.endedAt === undefined) return []
    if (this.askedAt === undefined && this.deadly) return []
    if (this.askedAt === undefined) return [`${name} ended by itself (code ${this.code}, signal ${this.signal})`]
    const left = this.reports.find(({ event }) => event === 'left')?.facts as
      | { before: Ballast; after: Ballast }
      | undefined
    return left === undefined ? [] : leftOver(left.before, left.after).map((what) => `${name} left ${what}`)
  }
}

/** The worker processes of one run. */
export class Crew {
  readonly hands: Hand[] = []
  readonly #settings: ProcessSettings

  constructor(settings: ProcessSettings) {
    this.#settings = settings
  }

  /** Starts a process; resolves when its worker is about to start. */
  async start(other: Partial<ProcessSettings> = {}): Promise<Hand> {
    const settings = { ...this.#settings, ...other }
    const { heap, jumpingClock } = settings
    const child = fork(await workerProgram(), [JSON.stringify(settings)], {
      execArgv: [
        '--expose-gc',
        ...(heap ? [`--max-old-space-size=${heap}`] : []),
        ...(jumpingClock ? ['--import', new URL('jumping-clock.ts', import.meta.url).href] : []),
      ],
      stdio: ['ignore', 'inherit', heap ? 'ignore' : 'inherit', 'ipc'], // V8 has much to say when its heap is full
    })
    const hand = new Hand(child)
    this.hands.push(hand)
    await hand.said('ready')
    return hand
  }

  /** Those that run. */
  get alive(): Hand[] {
    return this.hands.filter(({ endedAt }) => endedAt === undefined)
  }

  /** Asks all to end, and waits. */
  async stop(limit = 30_000): Promise<void> {
    const alive = this.alive
    for (const hand of alive) hand.send('SIGTERM')
    await Promise.all(alive.map((hand) => hand.ended(limit)))
  }

  /** Leaves none behind, whatever state they are in. */
  async end(): Promise<void> {
    const alive = this.alive
    for (const hand of alive) hand.child.kill('SIGKILL')
    await Promise.all(alive.map((hand) => hand.ended(5_000)))
  }
}
