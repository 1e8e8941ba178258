import type { DynamicModule, SelectType } from 'kysely'
import type {
  JobColumnName,
  JobColumns,
  JobId,
  jobColumnNames,
  OptionalColumnName,
  QueueManagedColumn,
} from './columns.js'
import type { Lookup } from './identify.js'
import type { JobStatus, jobStatuses, SeedJobStatus } from './statuses.js'

/**
 * A database handle of the user's: `Kysely`, `Transaction` or `ControlledTransaction`, told by the smallest member that
 * holds `DB`. To infer it from a union of the three, the compiler would compare the classes member by member: with
 * 500 tables 2.2 s of checking for one call, against 0.05 s.
 */
export interface Queryable<DB> extends ReadonlyQueryable<DB>, Lookup {}

/** The same, and Kysely's own `ReadonlyKysely` as well: for what only reads. */
export interface ReadonlyQueryable<DB> {
  readonly dynamic: DynamicModule<DB>
  readonly isTransaction: boolean
}

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

/** Users of CamelCasePlugin have `lockedBy` in their interface; one telling column decides for the table. */
type IsCamelCase<Row> =
  Extract<keyof Row, 'lockedBy' | 'lockedAt' | 'attemptsCount' | 'lastError'> extends never ? false : true

/** The key under which a row type holds one of our columns. */
export type ColumnKey<Row, Name extends string> = IsCamelCase<Row> extends true ? CamelCase<Name> : Name

/** kysely's own `Generated<Timestamp>` selects as another ColumnType, hence twice. */
export type Selected<Column> = SelectType<SelectType<Column>>

/**
 * What reading a column must give. Timestamps are never read by us, so whatever the user's driver makes of
 * them is fine (Date, string, an object of a date library); ids may be branded.
 */
interface Readable {
  id: JobId
  created_at: string | object
  updated_at: string | object
  run_at: string | object
  locked_at: string | object | null
  locked_by: string | null
  last_error: string | null
  attempts_count: number
  status: string
}

/** What the compiler says where reading a column gives something else. */
interface Needed extends Record<JobColumnName, string> {
  id: 'a string, a number or a bigint'
  created_at: 'a Date, a string or an object'
  updated_at: 'a Date, a string or an object'
  run_at: 'a Date, a string or an object'
  locked_at: 'a Date, a string, an object or null'
  locked_by: 'a string or null'
  last_error: 'a string or null'
  attempts_count: 'a number'
  status: 'a string or an enum of strings'
}

/** Columns into which the queue writes null. */
type NullableColumn = 'locked_at' | 'locked_by' | 'last_error'

/** True, or why the column does not serve. A status may be any text, or an enum that holds the seed's six values. */
type Fits<Name extends JobColumnName, Value> = [Value] extends [Readable[Name]]
  ? Name extends NullableColumn
    ? [null] extends [Value]
      ? true
      : 'must be nullable'
    : Name extends 'status'
      ? LackingStatuses<`${Extract<Value, string>}`> extends infer Lacking extends string
        ? Lacking extends ''
          ? true
          : `lacks ${Lacking}`
        : never
      : true
  : [Exclude<Value, null | undefined>] extends [Readable[Name]]
    ? 'must not be nullable'
    : `must read as ${Needed[Name]}`

/** The statuses that a column can't hold, listed in one text: a union in a template would make as many sentences. */
type LackingStatuses<
  Held extends string,
  Statuses extends readonly JobStatus[] = typeof jobStatuses,
  Found extends string = '',
> = Statuses extends readonly [infer Status extends JobStatus, ...infer Rest extends readonly JobStatus[]]
  ? LackingStatuses<
      Held,
      Rest,
      Status extends Held | Exclude<JobStatus, SeedJobStatus>
        ? Found
        : Found extends ''
          ? `'${Status}'`
          : `${Found}, '${Status}'`
    >
  : Found

type Flaw<Row, Name extends JobColumnName> =
  ColumnKey<Row, Name> extends keyof Row
    ? Fits<Name, Selected<Row[ColumnKey<Row, Name>]>> extends infer Why extends string
      ? `column '${ColumnKey<Row, Name>}' ${Why}`
      : never
    : `column '${ColumnKey<Row, Name>}' is missing`

/** What keeps a row type from being a job, as one sentence; empty where nothing does. */
type Flaws<
  Row,
  Names extends readonly JobColumnName[] = typeof jobColumnNames,
  Found extends string = '',
> = Names extends readonly [infer Name extends JobColumnName, ...infer Rest extends readonly JobColumnName[]]
  ? Flaws<
      Row,
      Rest,
      [Flaw<Row, Name>] extends [never] ? Found : Found extends '' ? Flaw<Row, Name> : `${Found}, ${Flaw<Row, Name>}`
    >
  : Found

/** The names of a database's job tables: those whose select type has the nine columns. */
export type JobTableName<DB> = {
  [Table in keyof DB & string]: Flaws<DB[Table]> extends '' ? Table : never
}[keyof DB & string]

/**
 * The type of a door's table parameter: the table itself where it is a job table, else a sentence that the
 * compiler prints: `'users' is not a job table: column 'locked_by' is missing`. Only the named table is
 * examined, so a database of hundreds of tables costs no more than one of two. A name the database does not
 * have is inferred as all of its tables; then the compiler lists those that are job tables.
 */
export type JobTable<DB, Table extends keyof DB & string> = [keyof DB & string] extends [Table]
  ? [JobTableName<DB>] extends [never]
    ? NotAJobTable<DB, Table>
    : JobTableName<DB> & keyof DB // the compiler would print the alias in place of its names
  : Flaws<DB[Table]> extends ''
    ? Table
    : NotAJobTable<DB, Table>

type NotAJobTable<DB, Table extends keyof DB & string> = `'${Table}' is not a job table: ${Flaws<DB[Table]>}`

/**
 * A job as its handler sees it: the user's own row, as Kysely selects it. Mapped over `keyof` the row itself, so that
 * the editor leads from a column to the user's interface, and a union of rows stays one.
 */
export type Job<DB, Table extends keyof DB> = SelectedRow<DB[Table]>

type SelectedRow<Row> = {
  readonly [Column in keyof Row as [SelectType<Row[Column]>] extends [never] ? never : Column]: SelectType<Row[Column]>
}

/** The lists that a worker's `select` may be: of columns of the row, or of any of the rows that it is a union of. */
export type Selection<DB, Table extends keyof DB> = readonly (KeyOfEach<Job<DB, Table>> & string)[]

type KeyOfEach<Row> = Row extends unknown ? keyof Row : never

/**
 * A job of which a worker's `select` names the columns: it has those, `id` and `attempts_count`. Of a list whose members the
 * compiler does not know one by one (`('a' | 'b')[]`), a column may be there or not.
 * @example const sendMail = async (job: SelectedJob<DB, 'mail_jobs', ['user_id', 'template']>) => send(job.user_id)
 */
export type SelectedJob<
  DB,
  Table extends keyof DB,
  Columns extends readonly string[] | undefined,
> = Columns extends readonly string[]
  ? number extends Columns['length']
    ? LeanRow<DB[Table], never> & Partial<LeanRow<DB[Table], Columns[number]>>
    : LeanRow<DB[Table], Columns[number]>
  : Job<DB, Table>

type LeanRow<Row, Names> = {
  readonly [Column in keyof Row as [SelectType<Row[Column]>] extends [never]
    ? never
    : Column extends Names | ColumnKey<Row, 'id' | 'attempts_count'>
      ? Column
      : string extends Column // of a handle without types each row has every column
        ? Column
        : never]: SelectType<Row[Column]>
}

/** kysely's own `Generated<Timestamp>` asks for the nested ColumnType on insert; what it stands for is meant. */
type Inserted<Column> = Column extends { readonly __insert__: infer Insert }
  ? Insert extends { readonly __insert__: infer Nested }
    ? Nested
    : Insert
  : Column

/** A column by which jobs may be unique; of any other the compiler lists those that there are. */
export type UniqueBy<DB, Table extends keyof DB, Column extends string> =
  Column extends OwnColumn<DB, Table> ? Column : OwnColumn<DB, Table>

/** The columns of a job table that are the user's. */
type OwnColumn<DB, Table extends keyof DB> = Exclude<
  KeyOfEach<DB[Table]> & string,
  ColumnKey<DB[Table], keyof JobColumns>
>

/** What an enqueuer may set: the user's own insertable columns, `id`, `run_at`, `priority`, `max_attempts`. */
export type NewJob<DB, Table extends keyof DB> = EachNewRow<DB[Table]>

type EachNewRow<Row> = Row extends unknown ? NewRow<Row> : never

type NewRow<Row> = {
  readonly [Column in keyof Row as GivenAs<Row, Column> extends 'required' ? Column : never]: Inserted<Row[Column]>
} & {
  readonly [Column in keyof Row as GivenAs<Row, Column> extends 'optional' ? Column : never]?:
    | Inserted<Row[Column]>
    | undefined
} & { readonly [Column in ColumnKey<Row, QueueManagedColumn>]?: 'the queue alone writes this column' }

/** The same, where jobs are unique by columns: these are to be given, and not null, which equals nothing. */
export type UniqueNewJob<DB, Table extends keyof DB, Unique> = EachUniqueRow<DB[Table], Unique>

type EachUniqueRow<Row, Unique> = Row extends unknown ? NewRow<Row> & UniqueValues<Row, Unique> : never

type UniqueValues<Row, Unique> = {
  readonly [Column in keyof Row as Column extends ColumnKey<Row, keyof JobColumns>
    ? never // refused where it is named
    : Column extends Unique
      ? Column
      : never]: NonNullable<Inserted<Row[Column]>>
}

/** Whether an enqueuer must give a column, may, or can't. */
type GivenAs<Row, Column extends keyof Row> =
  Column extends ColumnKey<Row, QueueManagedColumn>
    ? 'refused'
    : [Inserted<Row[Column]>] extends [never]
      ? 'refused'
      : undefined extends Inserted<Row[Column]>
        ? 'optional'
        : null extends Inserted<Row[Column]>
          ? 'optional'
          : 'required'

/** The optional columns that a table's type has; asking for another does not compile, and the compiler lists those. */
export type OptionalColumn<Row> = [HeldColumn<Row>] extends [never]
  ? 'the table has no optional column'
  : HeldColumn<Row> & string // as above, names in place of the alias

type HeldColumn<Row> = {
  [Name in OptionalColumnName]: ColumnKey<Row, Name> extends keyof Row ? Name : never
}[OptionalColumnName]
