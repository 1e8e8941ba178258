import { verbsFor } from '../actions/verbs.js'
import type { ListQuery } from '../list-query.js'
import type { SeenTable } from '../seen-table.js'
import type { Visit } from './page.js'

interface BulkBarOf {
  readonly visit: Visit
  readonly seen: SeenTable
  readonly list: ListQuery
}

/** What can be done to the marked jobs of a list, or to all that it is of. Each asks again before it does anything. */
export function BulkBar({ visit, seen: { listed, whole }, list }: BulkBarOf) {
  const columns = new Set(whole.columns.map(({ name }) => name))
  const may = verbsFor(list.state, columns).filter(({ action }) => visit.viewer.may(action, listed.name))
  if (may.length === 0) return null
  return (
    <div class="bulk">
      <label>
        Do to
        <select name="of">
          <option value="marked">the marked jobs</option>
          <option value="all">all that match</option>
        </select>
      </label>
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
