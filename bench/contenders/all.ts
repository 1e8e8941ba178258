import { batchByHand, oursBatch } from './batches.ts'
import { bull } from './bullmq.ts'
import type { Contender } from './contender.ts'
import { graphileByDefault, graphileFastest } from './graphile-worker.ts'
import {
  ours,
  oursArchived,
  oursBesideSdk,
  oursByDefault,
  oursByPriority,
  oursDeleted,
  oursHeld,
  oursHeldArchived,
  oursHeldDeleted,
  oursHeldLean,
  oursHundredth,
  oursLean,
  oursMeasured,
  oursQuiet,
  oursSampled,
  oursScraped,
  oursSynchronous,
  oursUnsampled,
} from './kysely-jobs.ts'
import { byHand, limit } from './limit.ts'
import { bossSeveral, bossSingle } from './pg-boss.ts'

export const contenders = {
  ours,
  oursByDefault,
  oursSynchronous,
  oursLean,
  oursDeleted,
  oursArchived,
  oursHeld,
  oursHeldLean,
  oursHeldDeleted,
  oursHeldArchived,
  oursByPriority,
  oursScraped,
  oursMeasured,
  oursUnsampled,
  oursHundredth,
  oursSampled,
  oursBesideSdk,
  oursQuiet,
  oursBatch,
  graphileFastest,
  graphileByDefault,
  bossSeveral,
  bossSingle,
  bull,
  limit,
  byHand,
  batchByHand,
} satisfies Record<string, Contender>

export type ContenderName = keyof typeof contenders
