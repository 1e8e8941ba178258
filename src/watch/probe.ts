import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import { type Notice, notified } from '../predicates/notice.js'
import { withDeadline } from './deadline.js'

/** The database handle through which probes are sent; any of the user's. */
export type ProbeDatabase = Pick<Kysely<unknown>, 'selectNoFrom'>

/** Sends a notice, by a statement of its own or by one that goes anyway. */
export type Sending = (notice: Notice) => Promise<unknown>

/** How a probe went. `unsent`: the database did not take it, which says nothing about the listener. */
export type ProbeResult = 'heard' | 'unheard' | 'unsent'

/**
 * Proves that a listener hears: a nonce notified through the user's own database handle must come back. Through a
 * transaction-mode pooler, or on another database, LISTEN succeeds and nothing ever comes.
 */
export class Probe {
  /** The channel on which this listener's probes come back. */
  readonly channel: string = `kysely_jobs_probe_${randomUUID()}`
  readonly #db: ProbeDatabase
  readonly #patience: number
  readonly #awaited = new Map<string, () => void>()
  readonly #underWay = new Set<() => void>()

  /** @param patience milliseconds for the query, and again for the nonce to come back */
  constructor(db: ProbeDatabase, patience: number) {
    this.#db = db
    this.#patience = patience
  }

  /** Gives up the probes that are under way: their listener is gone, and nobody waits for it. */
  abandon(): void {
    for (const end of this.#underWay) end()
  }

  /** A notification on the probe's channel. */
  heard(nonce: string): void {
    this.#awaited.get(nonce)?.()
  }

  /** @param sending called at once; default: a statement of its own */
  async send(sending: Sending = (notice) => this.#sendAlone(notice)): Promise<ProbeResult> {
    const { promise: abandoned, resolve: end } = Promise.withResolvers<void>()
    this.#underWay.add(end)
    try {
      return await this.#send(sending, abandoned)
    } finally {
      this.#underWay.delete(end)
    }
  }

  #sendAlone(notice: Notice): Promise<unknown> {
    return this.#db.selectNoFrom(notified(notice).as('told')).execute()
  }

  async #send(sending: Sending, abandoned: Promise<void>): Promise<ProbeResult> {
    const nonce = randomUUID()
    const heard = new Promise<void>((resolve) => this.#awaited.set(nonce, resolve))
    try {
      const sent = sending({ channel: this.channel, payload: nonce })
      await withDeadline(Promise.race([sent, abandoned]), this.#patience, 'probe')
    } catch {
      this.#awaited.delete(nonce)
      return 'unsent'
    }
    try {
      await withDeadline(Promise.race([heard, abandoned]), this.#patience, 'probe')
      return 'heard'
    } catch {
      return 'unheard'
    } finally {
      this.#awaited.delete(nonce)
    }
  }
}
