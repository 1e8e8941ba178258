import type { Matching } from '../../observe/count-matching.js'
import { verbsFor } from '../actions/verbs.js'
import type { ListQuery } from '../list-query.js'
import type { SeenTable } from '../seen-table.js'
import { matchingText } from './matching-text.js'
import type { Visit } from './page.js'

interface BulkBarOf {
  readonly visit: Visit
  readonly seen: SeenTable
  readonly list: ListQuery
  /** Undefined: not counted. */
  readonly matching: Matching | undefined
}

/** What can be done to the marked jobs of a list, or to all that it is of. Each asks again before it does anything. */
export function BulkBar({ visit, seen: { listed, whole }, list, matching }: BulkBarOf) {
  const columns = new Set(whole.columns.map(({ name }) => name))
  const may = verbsFor(list.state, columns).filter(({ action }) => visit.viewer.may(action, listed.name))
  if (may.length === 0) return null
  const all = matching === undefined ? 'all that match' : `all ${matchingText(matching)} that match`
  return (
    <div class="bulk">
      <label>
        Apply to
        <select name="of">
          <option value="marked">the marked jobs</option>
          <option value="all">{all}</option>
        </select>
      </label>
      {/* A script counts them. */}
      <span class="quiet small" data-marked={all} role="status"></span>
      <div class="actions">
        {may.map(({ action, label, isDangerous }) => (
          <button type="submit" name="verb" value={action} class={isDangerous ? 'danger' : undefined}>
            {label}…
          </button>
        ))}
      </div>
    </div>
  )
}
