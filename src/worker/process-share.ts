import type { DialectAdapter, Kysely } from 'kysely'
import { Gate } from './gate.js'

/** What the workers of one process have in common, as far as they use one database. */
export interface ProcessShare {
  /** Through it each handler goes, so that a suspect can be alone. */
  readonly gate: Gate
  /** When (monotonic milliseconds) each table was last rescued here: one rescue a period, however many workers. */
  readonly lastRescue: Map<string, number>
}

/** Keyed by the one object that all copies of a Kysely (withSchema, withPlugin) have in common; gone with it. */
const shares = new WeakMap<DialectAdapter, ProcessShare>()

export function processShare(db: Pick<Kysely<unknown>, 'getExecutor'>): ProcessShare {
  const { adapter } = db.getExecutor()
  const share = shares.get(adapter) ?? { gate: new Gate(), lastRescue: new Map() }
  shares.set(adapter, share)
  return share
}
