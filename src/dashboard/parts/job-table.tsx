import type { FoundJob } from '../../observe/found-job.js'
import type { ViewColumn } from '../../observe/view.js'
import { type ListQuery, listAddress } from '../list-query.js'
import type { SeenTable } from '../seen-table.js'
import { address } from '../site.js'
import { Cell } from './cell.js'
import { addressOfJob } from './job-address.js'
import type { Visit } from './page.js'
import { StateBadge } from './states.js'
import { When } from './when.js'

interface JobTableOf {
  readonly visit: Visit
  readonly seen: SeenTable
  readonly list: ListQuery
  readonly jobs: readonly FoundJob[]
}

/** The jobs of a page of a list. */
export function JobTable({ visit, seen, list, jobs }: JobTableOf) {
  const columns = seen.view.columns.filter(({ name }) => seen.columns.includes(name))
  const inOrder = seen.columns.flatMap((name) => columns.find((column) => column.name === name) ?? [])
  const sorted = { visit, seen, list }
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">
              <input type="checkbox" data-all="id" aria-label="All jobs of this page" />
            </th>
            <th scope="col">Job</th>
            <th scope="col">State</th>
            {inOrder.map((column) => (
              <ColumnHead {...sorted} column={column} />
            ))}
            <AttemptsHead {...sorted} />
            <th scope="col">When</th>
            <th scope="col">Last error</th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <JobRow visit={visit} seen={seen} job={job} columns={inOrder} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** A foreign key is shown by the name of what it points to. */
const isNumber = ({ kind, references }: ViewColumn) => kind === 'number' && references === undefined

function AttemptsHead(of: Omit<JobTableOf, 'jobs'>) {
  const column = of.seen.view.columns.find(({ name }) => name === 'attempts_count')
  return column === undefined ? <th scope="col">Attempts</th> : <ColumnHead {...of} column={column} text="Attempts" />
}

interface ColumnHeadOf extends Omit<JobTableOf, 'jobs'> {
  readonly column: ViewColumn
  /** Default: the column's name. */
  readonly text?: string
}

function ColumnHead({ visit, seen, list, column, text = column.name }: ColumnHeadOf) {
  const { name, isOrdered } = column
  const number = isNumber(column) ? 'number' : undefined
  if (!isOrdered)
    return (
      <th scope="col" class={number}>
        {text}
      </th>
    )
  const isSorted = list.sort?.column === name
  const descending = isSorted && !list.sort?.descending
  const href = address(
    visit.site,
    ['tables', seen.listed.name],
    listAddress(list, { sort: { column: name, descending } }),
  )
  const order = isSorted ? (list.sort?.descending ? 'descending' : 'ascending') : undefined
  return (
    <th scope="col" class={number} aria-sort={order}>
      <a href={href}>
        {text}
        {order === 'descending' ? ' ↓' : order === 'ascending' ? ' ↑' : ''}
      </a>
    </th>
  )
}

interface JobRowOf {
  readonly visit: Visit
  readonly seen: SeenTable
  readonly job: FoundJob
  readonly columns: readonly ViewColumn[]
}

function JobRow({ visit, seen, job, columns }: JobRowOf) {
  return (
    <tr>
      <td>
        <input type="checkbox" name="id" value={job.id} aria-label={`Job ${job.id}`} />
      </td>
      <th scope="row" class="nowrap">
        <a href={addressOfJob(visit, seen, job)} class="mono" title={job.id}>
          {shortId(job.id)}
        </a>
        {job.isArchived && <span class="badge">archive</span>}
      </th>
      <td>
        <StateBadge state={job.state} />
      </td>
      {columns.map((column) => (
        <td class={isNumber(column) ? 'number' : 'cut'}>
          <Cell of={job.values.get(column.name)} />
        </td>
      ))}
      <td class="number">
        {job.attempts}
        {job.maxAttempts !== null && <span class="quiet">/{job.maxAttempts}</span>}
      </td>
      <td>
        <JobTime job={job} now={visit.now} />
      </td>
      <td class="cut">{seen.hidden.includes('last_error') ? <Cell of={undefined} /> : <Cell of={job.error} />}</td>
    </tr>
  )
}

/** Of a uuid the last digits: those of jobs that were enqueued together begin alike. */
const shortId = (id: string) => (id.length > 20 ? `…${id.slice(-12)}` : id)

/** The time that matters most, by the state. */
function JobTime({ job, now }: { readonly job: FoundJob; readonly now: Date }) {
  const [word, at] =
    job.state === 'running'
      ? ['claimed', job.lockedAt]
      : ['due', 'scheduled', 'retrying'].includes(job.state ?? '')
        ? ['due', job.runAt]
        : ['ended', job.finishedAt ?? job.updatedAt]
  return (
    <span class="nowrap">
      <span class="quiet">{word}</span> {at === 'infinity' ? 'never' : <When at={at} now={now} />}
    </span>
  )
}
