import { startError } from '../../pg/connection-error.js'
import { notified } from '../../predicates/notice.js'
import { textsOf } from '../../schema/text.js'
import { Listener, type ListenSource } from '../../watch/listener.js'
import { Probe, type ProbeResult } from '../../watch/probe.js'
import type { Examined } from '../read.js'

/** How listening went: what became of a probe, or why there is no connection. */
export type Hearing = { readonly probe: ProbeResult } | { readonly refused: string }

/**
 * Listens as a worker does, and notifies through the database: what does not come back is heard by no worker.
 * @param patience milliseconds for the notice to be sent, and for it to come back
 */
export async function hear(db: Examined, source: ListenSource, patience: number): Promise<Hearing> {
  const probe = new Probe(db, patience)
  try {
    const listener = await Listener.open(source, {
      lost: () => {},
      notified: (channel) => {
        if (channel === probe.channel) probe.end()
      },
    })
    try {
      await listener.listen(probe.channel)
      const sent = await probe.send((notice) => textsOf(db, db.selectNoFrom(notified(notice).as('told')).compile()))
      return { probe: sent }
    } finally {
      await listener.close()
    }
  } catch (error) {
    const clear = startError(error)
    return { refused: clear instanceof Error ? clear.message : String(clear) }
  }
}
