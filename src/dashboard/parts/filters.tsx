import type { Matching } from '../../observe/count-matching.js'
import { operators } from '../../observe/filter.js'
import { filterText } from '../../observe/filter-text.js'
import type { JobView } from '../../observe/view.js'
import { joinedColumns, type ListQuery, listAddress } from '../list-query.js'
import { address } from '../site.js'
import { kindText } from './kind-text.js'
import { matchingText } from './matching-text.js'
import { Notice } from './notice.js'
import type { Visit } from './page.js'

interface FiltersOf {
  readonly visit: Visit
  readonly path: readonly string[]
  readonly view: JobView
  readonly list: ListQuery
  /** Where it is of one kind of error: that of one of its jobs. */
  readonly error: string | undefined
  readonly matching: Matching | undefined
}

/** The filters of a list, and a form for one more. */
export function Filters(of: FiltersOf) {
  const { visit, path, list, matching } = of
  return (
    <div class="stack padded">
      {list.flaws.map((flaw) => (
        <Notice tone="bad" title={flaw} />
      ))}
      {(list.filters.length > 0 || list.fingerprint !== undefined) && <Chips {...of} />}
      {matching !== undefined && (
        <p class="quiet small">
          {matchingText(matching)} {matching.count === 1 ? 'job matches' : 'jobs match'}
        </p>
      )}
      <search class="row">
        <FilterForm {...of} />
        <form method="get" action={address(visit.site, path)} class="inline">
          <input type="hidden" name="column" value="id" />
          <label>
            Job id
            <input name="value" required />
          </label>
          <button type="submit">Find</button>
        </form>
      </search>
    </div>
  )
}

/** What was typed stays where it was refused. */
function FilterForm({ visit, path, view, list }: FiltersOf) {
  const typed = list.flaws.length > 0 ? visit.query : new URLSearchParams()
  const chosen = typed.get('column') ?? undefined
  const value = typed.get('value') ?? undefined
  return (
    <form method="get" action={address(visit.site, path)} class="inline">
      {listAddress(list).map(([name, text]) => (
        <input type="hidden" name={name} value={text} />
      ))}
      <label>
        Column
        <select name="column">
          <Columns view={view} own={true} chosen={chosen} />
          <Joined view={view} chosen={chosen} />
          <Columns view={view} own={false} chosen={chosen} />
        </select>
      </label>
      {view.columns.some(({ kind }) => kind === 'json') && (
        <label>
          Key, of JSON only
          <input name="path" placeholder="user.id" size={10} value={typed.get('path') ?? undefined} />
        </label>
      )}
      <label>
        Is
        <select name="operator">
          {operators.map((operator) => (
            <option value={operator} selected={operator === typed.get('operator')}>
              {operator}
            </option>
          ))}
        </select>
      </label>
      <label>
        Value
        <input
          name="value"
          data-filter
          title="The key / leads here"
          value={value}
          aria-invalid={value === undefined ? undefined : 'true'}
        />
      </label>
      <button type="submit">Add filter</button>
    </form>
  )
}

interface ColumnsOf {
  readonly view: JobView
  readonly chosen: string | undefined
}

function Columns({ view, own, chosen }: ColumnsOf & { readonly own: boolean }) {
  const columns = view.columns.filter(({ isOfQueue }) => isOfQueue !== own)
  if (columns.length === 0) return null
  return (
    <optgroup label={own ? 'Own columns' : 'Columns of the queue'}>
      {columns.map(({ name, type }) => (
        <option value={name} selected={name === chosen}>
          {name} ({type})
        </option>
      ))}
    </optgroup>
  )
}

/** Of the rows that jobs point to. */
function Joined({ view, chosen }: ColumnsOf) {
  const columns = joinedColumns(view)
  if (columns.length === 0) return null
  return (
    <optgroup label="Columns of other tables">
      {columns.map(({ place, type }) => (
        <option value={place} selected={place === chosen}>
          {place} ({type})
        </option>
      ))}
    </optgroup>
  )
}

function Chips({ visit, path, list, error }: FiltersOf) {
  const chip = (text: string, others: Partial<ListQuery>) => (
    <li class="badge info">
      <code>{text}</code>
      <a href={address(visit.site, path, listAddress(list, others))} aria-label={`Without ${text}`}>
        ×
      </a>
    </li>
  )
  return (
    <ul class="chips" aria-label="Filters">
      {list.filters.map((filter) =>
        chip(filterText(filter), { filters: list.filters.filter((each) => each !== filter) }),
      )}
      {list.fingerprint !== undefined && chip(kindText(error), { fingerprint: undefined })}
    </ul>
  )
}
