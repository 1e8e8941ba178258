import type { EventEmitter } from 'node:events'
import type { DB } from '../../examples/db.js'

export { up as createMailTables } from '../../migrations/005-mail-jobs.js'

/** The tables of the worker's tests, as the generator types them. */
export type MailDatabase = Pick<DB, 'mail_jobs' | 'sent'>

/** A logger that keeps quiet, for tests in which errors are what is tested. */
export const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** The next event of a worker. Unlike events.once it does not mind error events. */
export function next<Payload>(
  worker: EventEmitter,
  name: string,
  fits: (payload: Payload) => boolean = () => true,
): Promise<Payload> {
  return new Promise((resolve) => {
    const listener = (payload: Payload) => {
      if (!fits(payload)) return
      worker.off(name, listener)
      resolve(payload)
    }
    worker.on(name, listener)
  })
}
