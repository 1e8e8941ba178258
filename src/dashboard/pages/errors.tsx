import type { Kysely } from 'kysely'
import { type ErrorGroup, errorGroups } from '../../observe/error-groups.js'
import type { JobDatabase } from '../../schema/job-database.js'
import { tableFor } from '../answers.js'
import { Sparkline } from '../parts/chart.js'
import { ColumnHeads } from '../parts/column-heads.js'
import { Empty } from '../parts/notice.js'
import type { Page, Params, Visit } from '../parts/page.js'
import { TableHead } from '../parts/tabs.js'
import { When } from '../parts/when.js'
import { type SeenTable, seenTable } from '../seen-table.js'
import { address } from '../site.js'

/** The errors of a table's jobs, those of a kind together. */
export async function errorsPage(visit: Visit, db: Kysely<JobDatabase>, { table: name }: Params): Promise<Page> {
  const listed = tableFor(visit, name)
  const seen = await seenTable(db, listed)
  const main = (
    <>
      <TableHead visit={visit} table={listed} />
      <section class="sheet">
        {seen.hidden.includes('last_error') ? <Hidden /> : await groupsOf(visit, db, seen)}
      </section>
    </>
  )
  return { title: `Errors of ${listed.title}`, main }
}

const Hidden = () => (
  <Empty title="Errors are hidden">The options of this dashboard hide last_error of this table.</Empty>
)

async function groupsOf(visit: Visit, db: Kysely<JobDatabase>, seen: SeenTable) {
  const { groups, others, looked } = await errorGroups(db, seen.view)
  if (groups.length === 0)
    return (
      <Empty title="No job fails">Jobs that failed, timed out or wait for a retry appear here by their errors.</Empty>
    )
  return (
    <>
      <div class="scroll">
        <table class="stacked">
          <ColumnHeads
            of={['Error', 'Jobs', 'Last day', 'Oldest still failing', 'Last seen']}
            numbers={['Jobs']}
            actions
          />
          <tbody>
            {groups.map((group) => (
              <GroupRow visit={visit} seen={seen} group={group} />
            ))}
          </tbody>
        </table>
      </div>
      {(others > 0 || !looked.isAll) && (
        <p class="pager quiet small">
          {others > 0 && `${others.toLocaleString('en')} more kinds of errors. `}
          {!looked.isAll && `The latest ${looked.at.toLocaleString('en')} jobs of each status were looked at.`}
        </p>
      )}
    </>
  )
}

function GroupRow({
  visit,
  seen,
  group,
}: {
  readonly visit: Visit
  readonly seen: SeenTable
  readonly group: ErrorGroup
}) {
  const { fingerprint, message, example, count, failed, retrying, firstSeen, lastSeen, hours } = group
  const path = ['tables', seen.listed.name]
  const mayRetry = visit.viewer.may('retry', seen.listed.name)
  return (
    <tr>
      <th scope="row" class="message">
        <a href={address(visit.site, path, [['error', fingerprint]])}>{message === '' ? '(no message)' : message}</a>
        {example !== message && <div class="quiet small">{example}</div>}
      </th>
      <td class="number" data-head="Jobs">
        {count.toLocaleString('en')}
        <div class="quiet small">
          {failed.toLocaleString('en')} failed, {retrying.toLocaleString('en')} retrying
        </div>
      </td>
      <td data-head="Last day">
        <Sparkline label={`Failures in each of the last 24 hours: ${hours.join(', ')}`} values={hours} />
      </td>
      <td data-head="Oldest still failing">
        <When at={firstSeen} now={visit.now} />
      </td>
      <td data-head="Last seen">
        <When at={lastSeen} now={visit.now} />
      </td>
      <td>
        {mayRetry && (
          <form method="post" action={address(visit.site, [...path, 'bulk'], [['error', fingerprint]])}>
            <input type="hidden" name="of" value="all" />
            <button type="submit" name="verb" value="retry">
              Retry all…
            </button>
          </form>
        )}
      </td>
    </tr>
  )
}
