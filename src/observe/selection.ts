import type { Expression, SqlBool } from 'kysely'
import { job } from '../predicates/column.js'
import type { Filter } from './filter.js'
import { isInState, type ShownState } from './shown-state.js'
import { isSought } from './sought.js'
import type { JobView } from './view.js'

/**
 * What a list is of, for the queue's verbs: jobs in one of some states that meet filters, and whose last errors are of one kind. The verbs count what they would change exactly
 * (`dryRun`), which reads the whole table.
 * @throws FilterError
 */
export function selectionOf(
  view: JobView,
  states: readonly ShownState[],
  filters: readonly Filter[],
  fingerprint?: string,
): { readonly where: () => Expression<SqlBool> } {
  const condition = job.and([isInState(states, view.statuses), isSought(view, filters, fingerprint)])
  return { where: () => condition }
}
