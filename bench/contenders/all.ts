import type { Contender } from './contender.ts'
import { graphileByDefault, graphileFastest } from './graphile-worker.ts'
import { ours, oursByDefault, oursByPriority, oursDeleted, oursQuiet } from './kysely-jobs.ts'
import { byHand, limit } from './limit.ts'
import { bossSeveral, bossSingle } from './pg-boss.ts'

export const contenders = {
  ours,
  oursByDefault,
  oursByPriority,
  oursDeleted,
  oursQuiet,
  graphileFastest,
  graphileByDefault,
  bossSeveral,
  bossSingle,
  limit,
  byHand,
} satisfies Record<string, Contender>

export type ContenderName = keyof typeof contenders
