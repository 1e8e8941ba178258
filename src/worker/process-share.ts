import type { DialectAdapter, Kysely } from 'kysely'
import { MemoryBudget } from './claim/memory-budget.js'
import { Poller } from './claim/poller.js'
import { Quarantine } from './quarantine/quarantine.js'

/** What the workers of one process have in common, as far as they use one database. */
export interface ProcessShare {
  /** Closed while a job is to be alone. */
  readonly quarantine: Quarantine
  /** What the jobs that they have claimed may take. */
  readonly memory: MemoryBudget
  /** Transactions that hold jobs. */
  readonly holds: Set<object>
  /** Polls and looks for expired leases, for all of them at once. */
  readonly poller: Poller
}

/** Keyed by the one object that all copies of a Kysely (withSchema, withPlugin) have in common; gone with it. */
const shares = new WeakMap<DialectAdapter, ProcessShare>()

export function processShare(db: Pick<Kysely<unknown>, 'getExecutor'>): ProcessShare {
  const { adapter } = db.getExecutor()
  const share = shares.get(adapter) ?? {
    quarantine: new Quarantine(),
    memory: new MemoryBudget(),
    holds: new Set<object>(),
    poller: new Poller(),
  }
  shares.set(adapter, share)
  return share
}
