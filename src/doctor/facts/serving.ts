import type { WantedIndex } from '../../migrate/job-indexes.js'
import type { CatalogIndex } from '../../schema/catalog.js'
import { isSameCondition } from '../same-condition.js'

/** Whether an index has the columns and the predicate of one that is wanted. */
export function isAsWanted({ columns, predicate }: CatalogIndex, [, wanted, condition]: WantedIndex): boolean {
  return columns.join() === wanted.join() && isSameCondition(predicate ?? '', predicateOf(condition))
}

const predicateOf = (condition: string | undefined) => {
  if (condition === undefined) return ''
  const [, negated] = /^not (in .*)$/s.exec(condition) ?? []
  return negated === undefined ? `status ${condition}` : `status not ${negated}`
}

/** Whether some index, of whatever name, does the work of one that is wanted: it begins with its columns, over the same rows. */
export function serves(indexes: readonly CatalogIndex[], wanted: WantedIndex): boolean {
  const [, columns] = wanted
  return indexes.some(
    (index) => index.valid && isAsWanted({ ...index, columns: index.columns.slice(0, columns.length) }, wanted),
  )
}
