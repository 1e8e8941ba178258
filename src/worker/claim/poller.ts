import type { Notice } from '../../predicates/notice.js'
import { type HeldLeases, type Polled, type PolledTable, pollTables } from '../../queue/poll.js'
import type { Subscription } from '../../watch/shared-listener.js'
import { after, type Timer } from '../../watch/timer.js'
import { ask } from '../ask.js'

/** A worker as the poller knows it. */
export interface Member {
  readonly table: string
  /** What is the same for all that take the same jobs of the table. */
  readonly claim: string
  readonly watched: PolledTable & { readonly lease: number }
  /** Its listener's, whose probe goes along with a look. */
  readonly carry: Subscription['carry'] | undefined
  /** The longest it may go (milliseconds) without a look. */
  patience(): number
  /** A job of its table is due in so many milliseconds. */
  due(milliseconds: number): void
  /** Jobs of workers that are gone may be there. */
  rescue(): void
  /** Leases of running jobs that nobody would tell it of. */
  held(): HeldLeases | undefined
  /** Leases may be lost. */
  check(): void
  /** The version of what is paused of its table. */
  paused(version: string | null): void
  /** The poll failed: the worker asks by itself. */
  unsure(error: unknown): void
}

/**
 * Polls the tables of all workers of a process, in one statement a period: are jobs due without a notification, have
 * leases expired, were running jobs cancelled? Ten workers are not ten polls.
 */
export class Poller {
  readonly #members = new Set<Member>()
  #lastLook = performance.now()
  #timer: Timer | undefined
  #looking = false

  /** Begins to look for a worker; the first of a table rescues at once. @returns an unsubscribe function */
  join(member: Member): () => void {
    const isFirst = ![...this.#members].some(({ table }) => table === member.table)
    this.#members.add(member)
    if (isFirst) member.rescue()
    this.reschedule()
    return () => {
      this.#members.delete(member)
      this.reschedule()
    }
  }

  /** A member's patience has changed. */
  reschedule(): void {
    this.#timer?.cancel()
    if (this.#members.size === 0 || this.#looking) return
    const patience = Math.min(...[...this.#members].map((member) => member.patience()))
    this.#timer = after(Math.max(0, this.#lastLook + patience - performance.now()), () => void this.#look())
  }

  async #look(): Promise<void> {
    const rescuers = [...Map.groupBy(this.#members, ({ claim }) => claim).values()].map(longestLease)
    this.#looking = true
    this.#lastLook = performance.now()
    try {
      // Those of another kind of home say the same of another type: no statement has both.
      for (const alike of Map.groupBy(rescuers, isPlain).values()) await this.#see(alike)
    } finally {
      this.#looking = false
      this.reschedule()
    }
  }

  /** All tables at once; where that fails, each by itself, so that one that is broken or locked stops no other. */
  async #see(rescuers: readonly Member[]): Promise<void> {
    const [first, ...others] = rescuers.map((rescuer) => ({ ...rescuer.watched, held: this.#heldBy(rescuer.claim) }))
    if (first === undefined) return
    const limit = Math.min(...rescuers.map(({ watched }) => watched.lease)) / 3
    try {
      const { jobs } = first
      const seen = await this.#carrying((notices) =>
        ask(jobs.db, limit, 'look', (db) => pollTables([{ ...first, jobs: { ...jobs, db } }, ...others], notices)),
      )
      for (const [i, rescuer] of rescuers.entries()) this.#tell(rescuer, seen[i])
    } catch (error) {
      if (others.length > 0) await Promise.all(rescuers.map((rescuer) => this.#see([rescuer])))
      else for (const { claim } of rescuers) for (const member of this.#of(claim)) member.unsure(error)
    }
  }

  /** Has a statement take the probes along that are due; workers that share a listener share its probe. */
  #carrying<Answer>(statement: (notices: readonly Notice[]) => Promise<Answer>): Promise<Answer> {
    const statements = [...this.#members].reduce((inner, { carry }) => {
      return (notices) => (carry ? carry((notice) => inner(notice ? [...notices, notice] : notices)) : inner(notices))
    }, statement)
    return statements([])
  }

  #heldBy(claim: string): HeldLeases {
    const held = this.#of(claim).flatMap((member) => member.held() ?? [])
    return { leases: held.flatMap(({ leases }) => leases), tokens: held.flatMap(({ tokens }) => tokens) }
  }

  #tell(rescuer: Member, polled: Polled | undefined): void {
    if (polled === undefined) return
    for (const member of this.#of(rescuer.claim)) member.paused(polled.pauses)
    if (polled.lost) for (const member of this.#of(rescuer.claim)) member.check()
    if (polled.expired && this.#members.has(rescuer)) rescuer.rescue()
    if (polled.due !== null) for (const member of this.#of(rescuer.claim)) member.due(polled.due)
  }

  #of(claim: string): Member[] {
    return [...this.#members].filter((member) => member.claim === claim)
  }
}

const isPlain = ({ watched }: Member): boolean => watched.jobs.home?.engine.volatileInUpdate ?? true

/** Polls of workers that were started together drift apart by this share. */
const jitter = 0.1

/** An interval that is a little longer or shorter each time. */
export function drifting(interval: number): number {
  return interval * (1 + (Math.random() * 2 - 1) * jitter)
}

/** Whoever waits longest decides when a lease of the table has expired. */
function longestLease(members: readonly Member[]): Member {
  return members.reduce((longest, member) => (member.watched.lease > longest.watched.lease ? member : longest))
}
