import type { Kysely } from 'kysely'
import { oneJob } from '../../observe/one-job.js'
import type { JobView, ViewColumn } from '../../observe/view.js'
import type { JobDatabase } from '../../schema/job-database.js'
import { Missing, tableFor } from '../answers.js'
import { Head } from '../parts/head.js'
import { addressOfJob } from '../parts/job-address.js'
import type { Page, Params, Visit } from '../parts/page.js'
import { seenTable } from '../seen-table.js'
import { wantedJob } from './job.js'

/** A form with the own columns of a job. */
export async function editPage(visit: Visit, db: Kysely<JobDatabase>, { table: name, id = '' }: Params): Promise<Page> {
  const listed = tableFor(visit, name, 'edit')
  const seen = await seenTable(db, listed)
  const job = await oneJob(db, seen.view, wantedJob(visit, id))
  if (job === undefined) throw new Missing('job')
  const cells = job.values
  const main = (
    <>
      <Head title="Edit" crumbs={[{ text: `Job ${id}`, href: addressOfJob(visit, seen, job) }]} />
      <form method="post" action={addressOfJob(visit, seen, job, 'edit')} class="sheet padded stack">
        {editable(seen.view)
          .filter((column) => !cells.get(column.name)?.isCut)
          .map((column) => (
            <Field column={column} text={cells.get(column.name)?.text ?? null} />
          ))}
        <div class="actions">
          <button type="submit" class="main">
            Save
          </button>
          {visit.viewer.may('retry', listed.name) && (
            <button type="submit" name="retry" value="yes">
              Save and retry
            </button>
          )}
          <a class="button" href={addressOfJob(visit, seen, job)}>
            Back
          </a>
        </div>
      </form>
    </>
  )
  return { title: 'Edit', main, live: false }
}

/** What people may write. */
export const editable = ({ columns }: JobView): ViewColumn[] =>
  columns.filter(({ isOfQueue, isGenerated }) => !isOfQueue && !isGenerated)

/** Beside its value the one that it had: only what was changed is written. */
function Field({ column, text }: { readonly column: ViewColumn; readonly text: string | null }) {
  const { name, type, nullable } = column
  return (
    <div class="row">
      <input type="hidden" name={`was:${name}`} value={text ?? ''} />
      {text === null && <input type="hidden" name={`was-null:${name}`} value="yes" />}
      <div class="field">
        <label for={`value:${name}`}>
          {name} ({type})
        </label>
        <Input column={column} text={text} />
      </div>
      {nullable && (
        <label class="check">
          <input type="checkbox" name={`null:${name}`} value="yes" checked={text === null} /> null
        </label>
      )}
    </div>
  )
}

function Input({
  column: { name, kind, labels },
  text,
}: {
  readonly column: ViewColumn
  readonly text: string | null
}) {
  const field = `value:${name}`
  if (kind === 'enum')
    return (
      <select name={field} id={field}>
        {/* Else the first one were chosen, and written. */}
        {(text === null || !labels.includes(text)) && <option value={text ?? ''}>{text ?? ''}</option>}
        {labels.map((label) => (
          <option value={label} selected={label === text}>
            {label}
          </option>
        ))}
      </select>
    )
  const isLong = kind === 'json' || (text ?? '').length > 80 || /[\r\n]/.test(text ?? '') // one line would lose them
  return isLong ? (
    <textarea name={field} id={field}>
      {'\n' /* the parser drops one, that it may not be of the text */}
      {text ?? ''}
    </textarea>
  ) : (
    <input name={field} id={field} value={text ?? ''} />
  )
}
