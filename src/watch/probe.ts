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
 * Proves that a listener hears: what is notified through the user's own database handle, on a channel that nobody else can
 * know, must come back. Through a transaction-mode pooler, or on another database, LISTEN succeeds and nothing ever comes.
 */
export class Probe {
  readonly channel: string = `kysely_jobs_probe_${randomUUID()}`
  readonly #db: ProbeDatabase
  readonly #patience: number
  /** Ends the probe that is under way, one at a time: its notice has come, or its listener is gone, and nobody waits for it. */
  end: () => void = () => {}

  /** @param patience milliseconds for the query, and again for the notice to come back */
  constructor(db: ProbeDatabase, patience: number) {
    this.#db = db
    this.#patience = patience
  }

  /** @param sending called at once; default: a statement of its own */
  async send(sending: Sending = (notice) => this.#sendAlone(notice)): Promise<ProbeResult> {
    const heard = new Promise<'heard'>((resolve) => {
      this.end = () => resolve('heard')
    })
    const sent = sending({ channel: this.channel, payload: '' }).then(() => 'sent' as const)
    const within = <Result>(promise: Promise<Result>, otherwise: ProbeResult) =>
      withDeadline(promise, this.#patience, 'probe').catch(() => otherwise)
    const first = await within(Promise.race([sent, heard]), 'unsent')
    return first === 'sent' ? within(heard, 'unheard') : first
  }

  #sendAlone(notice: Notice): Promise<unknown> {
    return this.#db.selectNoFrom(notified(notice).as('told')).execute()
  }
}
