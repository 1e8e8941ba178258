import type { Kysely } from 'kysely'
import type { JobDatabase } from '../schema/job-database.js'
import { textsOf, textsOfUnion } from '../schema/text.js'
import type { Filter } from './filter.js'
import { proveFilters } from './matching.js'
import { lookedAt, narrowed } from './narrow.js'
import { countQuery } from './page.js'
import type { ShownState } from './shown-state.js'
import { isSought } from './sought.js'
import { steadily } from './steadily.js'
import { streamsOf } from './stream.js'
import type { JobView } from './view.js'

/** How many jobs match. */
export interface Matching {
  readonly count: number
  /** All jobs were looked at; else there may be more: of each status, in each table, only the latest `at` were. */
  readonly isAll: boolean
  readonly at: number
}

/**
 * Counts the jobs of a table and its archive that are in one of some states and meet filters, and whose last errors are of one kind, at a cost that does not grow with them.
 * @throws FilterError
 */
export async function countMatching(
  db: Kysely<JobDatabase>,
  view: JobView,
  states: readonly ShownState[],
  filters: readonly Filter[] = [],
  fingerprint?: string,
): Promise<Matching> {
  const condition = isSought(view, filters, fingerprint)
  return steadily(db, view, async (trx) => {
    await proveFilters(trx, view, filters)
    const streams = streamsOf(view, {
      states,
      narrow: await narrowed(trx, view, filters),
      isFiltered: true,
    })
    const queries = streams.flatMap((stream) =>
      stream.slices.map((slice) => countQuery({ view, stream, filters: condition, backward: false }, slice)),
    )
    const texts = queries.length === 0 ? [] : await textsOf(trx, textsOfUnion(queries).compile(trx.withoutPlugins()))
    const counts = texts.map((text) => JSON.parse(text ?? '') as [count: number, looked: number]) // made by countQuery
    return {
      count: counts.reduce((sum, [count]) => sum + Math.min(count, lookedAt), 0),
      isAll: counts.every(([, looked]) => looked <= lookedAt),
      at: lookedAt,
    }
  })
}
