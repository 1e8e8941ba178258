import type { ControlledTransaction, Insertable, Kysely, Selectable, SelectType, Transaction } from 'kysely'
import type { JobColumnName, JobId, jobColumnNames, OptionalColumnName, QueueManagedColumn } from './columns.js'
import type { SeedJobStatus } from './statuses.js'

/**
 * A database handle of the user's: the pool or a transaction. A union, because `Transaction<Superset>`
 * is not assignable to `Kysely<Superset>` on every TypeScript version.
 */
export type Queryable<DB> = Kysely<DB> | Transaction<DB> | ControlledTransaction<DB, string[]>

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

/** Users of CamelCasePlugin have `lockedBy` in their interface; one telling column decides for the table. */
type IsCamelCase<Row> =
  Extract<keyof Row, 'lockedBy' | 'lockedAt' | 'attemptsCount' | 'lastError'> extends never ? false : true

/** The key under which a row type holds one of our columns. */
export type ColumnKey<Row, Name extends string> = IsCamelCase<Row> extends true ? CamelCase<Name> : Name

/** kysely's own `Generated<Timestamp>` selects as another ColumnType, hence twice. */
type Selected<Column> = SelectType<SelectType<Column>>

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

/** Columns into which the queue writes null. */
type NullableColumn = 'locked_at' | 'locked_by' | 'last_error'

/** True, or why the column does not serve. A status may be any text, or an enum that holds the seed's six values. */
type Fits<Name extends JobColumnName, Value> = [Value] extends [Readable[Name]]
  ? Name extends NullableColumn
    ? [null] extends [Value]
      ? true
      : 'must be nullable'
    : Name extends 'status'
      ? [SeedJobStatus] extends [`${Extract<Value, string>}`]
        ? true
        : `lacks '${Exclude<SeedJobStatus, `${Extract<Value, string>}`>}'`
      : true
  : 'has the wrong type'

type Flaw<Row, Name extends JobColumnName> =
  ColumnKey<Row, Name> extends keyof Row
    ? Fits<Name, Selected<Row[ColumnKey<Row, Name>]>> extends infer Verdict extends string
      ? `column '${ColumnKey<Row, Name>}' ${Verdict}`
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
    : JobTableName<DB>
  : Flaws<DB[Table]> extends ''
    ? Table
    : NotAJobTable<DB, Table>

type NotAJobTable<DB, Table extends keyof DB & string> = `'${Table}' is not a job table: ${Flaws<DB[Table]>}`

/** A job as its handler sees it: the user's own row. */
export type Job<DB, Table extends keyof DB> = Readonly<Selectable<DB[Table]>>

/** kysely's own `Generated<Timestamp>` asks for the nested ColumnType on insert; what it stands for is meant. */
type Unnested<Value> = Value extends { readonly __insert__: infer Insert } ? Insert : Value

/** What an enqueuer may set: the user's own insertable columns, `id`, `run_at`, `priority`, `max_attempts`, `traceparent`. */
export type NewJob<DB, Table extends keyof DB> = {
  readonly [Column in keyof EnqueuerColumns<DB[Table]>]: Unnested<EnqueuerColumns<DB[Table]>[Column]>
} & { readonly [Column in ColumnKey<DB[Table], QueueManagedColumn>]?: never }

type EnqueuerColumns<Row> = Omit<Insertable<Row>, ColumnKey<Row, QueueManagedColumn>>

/** The optional columns (DESIGN section 2) that a table's type has; asking for another does not compile. */
export type OptionalColumn<Row> = {
  [Name in OptionalColumnName]: ColumnKey<Row, Name> extends keyof Row ? Name : never
}[OptionalColumnName]
