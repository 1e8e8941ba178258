import type { Kysely } from 'kysely'
import { columnCalled } from '../observe/filter.js'
import { FilterError } from '../observe/filter-error.js'
import { hideRemedy, hiding, isHideable } from '../observe/hideable.js'
import { type JobView, jobView, type ViewColumn } from '../observe/view.js'
import type { JobDatabase } from '../schema/job-database.js'
import { quotedName } from '../schema/names.js'
import { DashboardOptionError, type ListedTable } from './options.js'

/** A listed table as its pages show it. */
export interface SeenTable {
  readonly listed: ListedTable
  /** All columns, for actions that copy a row. */
  readonly whole: JobView
  /** Without the hidden columns: nothing is read of them, and nothing can be asked about them. */
  readonly view: JobView
  readonly hidden: readonly string[]
  /** The own columns that lists show. */
  readonly columns: readonly string[]
}

const shownAtFirst = 4

/** @throws DashboardOptionError for columns in its options that the table has not; JobTableError, NoSuchTableError */
export async function seenTable(db: Kysely<JobDatabase>, listed: ListedTable): Promise<SeenTable> {
  const whole = await jobView(db, listed.name)
  const called = (option: string, name: string, among: Pick<JobView, 'columns'> = whole) => {
    try {
      return columnCalled(among, name)
    } catch (error) {
      if (!(error instanceof FilterError)) throw error
      throw new DashboardOptionError(`tables.${listed.name}.${option}: ${error.message}`)
    }
  }
  const hidden = new Set([...listed.hide].map((name) => hideable(listed, called('hide', name))))
  const joined = new Map(
    Object.entries(listed.joined).map(([name, names]) => {
      const column = called('joined', name)
      if (column.references === undefined) throw new DashboardOptionError(noReference(listed, column))
      const among = column.references
      return [column.name, new Set(names?.map((each) => called(`joined.${name}`, each, among).name))] as const
    }),
  )
  const rest = hiding(whole, hidden)
  const columns = rest.columns.map((each) => withJoined(hidingAlike(each, whole, hidden), joined.get(each.name)))
  const view = { ...rest, columns }
  const own = view.columns.filter(({ isOfQueue }) => !isOfQueue).map(({ name }) => name)
  const chosen = listed.columns?.map((name) => called('columns', name).name).filter((name) => !hidden.has(name))
  return { listed, whole, view, hidden: [...hidden], columns: chosen ?? own.slice(0, shownAtFirst) }
}

/** What is hidden of a job is hidden of the job that it points to. */
function hidingAlike(column: ViewColumn, { places }: JobView, hidden: ReadonlySet<string>): ViewColumn {
  const { references } = column
  const isOfJobs = places.some(({ table }) => references && quotedName(table) === quotedName(references.table))
  if (references === undefined || !isOfJobs) return column
  const label = hidden.has(references.label ?? '') ? undefined : references.label
  const columns = references.columns.filter((each) => !hidden.has(each.name))
  return { ...column, references: { ...references, label, columns } }
}

/** A foreign key with the columns behind it by which jobs can be filtered: at first the one alone that is shown anyway. */
function withJoined(column: ViewColumn, names: ReadonlySet<string> | undefined): ViewColumn {
  const { references } = column
  if (references === undefined) return column
  const may = names ?? new Set([references.label])
  return { ...column, references: { ...references, columns: references.columns.filter(({ name }) => may.has(name)) } }
}

const noReference = ({ name: table }: ListedTable, { name }: ViewColumn) =>
  `tables.${table}.joined.${name}: this column is no foreign key to a row that this role may read; leave it out`

/** @throws DashboardOptionError */
function hideable(listed: ListedTable, column: ViewColumn): string {
  if (isHideable(column)) return column.name
  throw new DashboardOptionError(`tables.${listed.name}.hide: the pages are made of ${column.name}; ${hideRemedy}`)
}
