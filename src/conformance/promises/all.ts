import type { Promised } from '../promised.js'
import { cancel } from './cancel.js'
import { claim } from './claim.js'
import { complete } from './complete.js'
import { count } from './count.js'
import { due } from './due.js'
import { enqueue } from './enqueue.js'
import { fence } from './fence.js'
import { lease } from './lease.js'
import { limits } from './limits.js'
import { plans } from './plans.js'
import { priority } from './priority.js'
import { prune } from './prune.js'
import { rescue } from './rescue.js'
import { retry } from './retry.js'
import { settle } from './settle.js'
import { unique } from './unique.js'
import { wake } from './wake.js'
import { work } from './work.js'

/** All promises, in the order in which they are tried; the one that fills the table is the last. */
export const promises: readonly Promised[] = [
  ...[enqueue, claim, work, fence, lease, rescue, settle, retry, complete, due, wake],
  ...[cancel, unique, priority, limits, count, prune, plans],
]
