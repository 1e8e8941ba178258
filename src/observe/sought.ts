import type { Expression, SqlBool } from 'kysely'
import { job } from '../predicates/column.js'
import { isOfKind } from './error-text.js'
import type { Filter } from './filter.js'
import { isMatch } from './matching.js'
import type { JobView } from './view.js'

/** Whether a job meets filters, and its last error is of a kind, where one is given. @throws FilterError */
export function isSought(view: JobView, filters: readonly Filter[], fingerprint?: string): Expression<SqlBool> {
  const isMet = isMatch(view, filters)
  return fingerprint === undefined ? isMet : job.and([isMet, isOfKind(fingerprint)])
}
