import type { Kysely } from 'kysely'
import { writtenColumn } from '../../observe/filter-error.js'
import { oneJob } from '../../observe/one-job.js'
import type { JobView, ViewColumn } from '../../observe/view.js'
import type { JobDatabase } from '../../schema/job-database.js'
import { Missing, tableFor } from '../answers.js'
import { Head } from '../parts/head.js'
import { addressOfJob } from '../parts/job-address.js'
import { Notice } from '../parts/notice.js'
import type { Page, Params, Visit } from '../parts/page.js'
import { seenTable } from '../seen-table.js'
import { type Typed, typedIn } from '../typed.js'
import { wantedJob } from './job.js'

/** A form with the own columns of a job; or what was typed into it, where that was refused. */
export async function editPage(
  visit: Visit,
  db: Kysely<JobDatabase>,
  { table: name, id = '' }: Params,
  typed?: Typed,
): Promise<Page> {
  const listed = tableFor(visit, name, 'edit')
  const seen = await seenTable(db, listed)
  const job = await oneJob(db, seen.view, wantedJob(visit, id))
  if (job === undefined) throw new Missing('job')
  const cells = job.values
  const columns = editable(seen.view).filter((column) => !cells.get(column.name)?.isCut)
  const flawed = columns.find(({ name }) => typed?.error.startsWith(`${writtenColumn(name)}: `))
  const main = (
    <>
      <Head title="Edit" crumbs={[{ text: `Job ${id}`, href: addressOfJob(visit, seen, job) }]} />
      <form method="post" action={addressOfJob(visit, seen, job, 'edit')} class="sheet padded stack">
        {typed !== undefined && (
          <Notice tone="bad" title="Nothing was changed">
            {flawed === undefined && typed.error}
          </Notice>
        )}
        {columns.map((column) => (
          <Field
            column={column}
            text={cells.get(column.name)?.text ?? null}
            typed={typed}
            error={column === flawed ? typed?.error : undefined}
          />
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
export const editable = ({ columns, spread }: JobView): ViewColumn[] =>
  columns.filter(({ name, isOfQueue, isGenerated }) => !isOfQueue && !isGenerated && name !== spread?.name)

interface FieldOf {
  readonly column: ViewColumn
  readonly text: string | null
  readonly typed: Typed | undefined
  /** What is wrong with what was typed. */
  readonly error: string | undefined
}

/** Beside its value the one that it had: only what was changed is written. */
function Field({ column, text, typed, error }: FieldOf) {
  const { name, type, nullable } = column
  const was = typedIn(typed, `was:${name}`) ?? text ?? ''
  const wasNull = typed === undefined ? text === null : typed.form.has(`was-null:${name}`)
  const isNull = typed === undefined ? text === null : typed.form.has(`null:${name}`)
  return (
    <div class="row">
      <input type="hidden" name={`was:${name}`} value={was} />
      {wasNull && <input type="hidden" name={`was-null:${name}`} value="yes" />}
      <div class="field">
        <label for={`value:${name}`}>
          {name} ({type})
        </label>
        <Input column={column} text={typedIn(typed, `value:${name}`) ?? text} isFlawed={error !== undefined} />
        {error !== undefined && (
          <p class="flaw" id={`flaw:${name}`}>
            {error}
          </p>
        )}
      </div>
      {nullable && (
        <label class="check">
          <input type="checkbox" name={`null:${name}`} value="yes" checked={isNull} /> null
        </label>
      )}
    </div>
  )
}

function Input(props: { readonly column: ViewColumn; readonly text: string | null; readonly isFlawed: boolean }) {
  const { column, text, isFlawed } = props
  const { name, kind, labels } = column
  const field = `value:${name}`
  const flaw = isFlawed
    ? ({ 'aria-invalid': 'true', 'aria-describedby': `flaw:${name}`, autofocus: true } as const)
    : {}
  if (kind === 'enum')
    return (
      <select name={field} id={field} {...flaw}>
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
    <textarea name={field} id={field} {...flaw}>
      {'\n' /* the parser drops one, that it may not be of the text */}
      {text ?? ''}
    </textarea>
  ) : (
    <input name={field} id={field} value={text ?? ''} {...flaw} />
  )
}
