import { randomBytes } from 'node:crypto'
import { Kysely, PostgresDialect } from 'kysely'
import type pg from 'pg'
import { createJobTable } from '../migrate/job-table.js'
import type { JobTableOptions } from '../migrate/options.js'
import { sqlState } from '../pg/error-class.js'
import type { Home } from '../schema/engine.js'
import { inspectJobTable } from '../schema/inspect.js'
import { jobStatuses } from '../schema/statuses.js'
import { type SuiteDatabase, table } from './suite-table.js'

/** How the suite comes to its server. */
export interface Way {
  /** A pool of so many connections at most, which the suite ends. Its sessions have the `application_name` that is given. */
  readonly pool: (max: number, name: string) => pg.Pool
  /** The URL where workers listen. */
  readonly listen: string
  /** The column by which the job table is distributed. Default: it is not. */
  readonly distributeBy?: string | undefined
}

/** A schema of the suite's own, its job table, and handles on it. */
export interface Stage {
  readonly schema: string
  readonly db: Kysely<SuiteDatabase>
  /** With connections of its own, as another process has. */
  readonly other: Kysely<SuiteDatabase>
  readonly pool: pg.Pool
  readonly listen: string
  readonly home: Home
  /** What the raw verbs are to know of the table. */
  readonly known: { readonly key: string | undefined; readonly home: Home }
  /** Why no insert tells the workers of it; undefined: triggers do. */
  readonly untold: string | undefined
  /** Drops the schema and closes the connections. @throws where the schema is left */
  close(): Promise<void>
}

/** As many connections as a small server can spare. */
const connections = { first: 6, other: 4 } as const

/** @throws whatever keeps the suite from having a job table; then no schema is left */
export async function openStage(way: Way): Promise<Stage> {
  const schema = `kysely_jobs_conformance_${randomBytes(4).toString('hex')}`
  const pools = [way.pool(connections.first, schema), way.pool(connections.other, schema)] as const
  const [db, other] = pools.map(handleOn) as [Kysely<SuiteDatabase>, Kysely<SuiteDatabase>] // one of each
  const close = async () => {
    try {
      await dropSchema(db, pools[0], schema)
    } finally {
      await Promise.all([db.destroy(), other.destroy()])
    }
  }
  try {
    await db.schema.createSchema(schema).execute()
    const own = { db: db.withSchema(schema), other: other.withSchema(schema) }
    // Else one of the user's would serve, which may lack a status.
    await own.db.schema
      .createType('job_status')
      .asEnum([...jobStatuses])
      .execute()
    const refused = await makeTable(own.db, way.distributeBy)
    const { home, key } = await inspectJobTable(own.db, table)
    const { name, triggers } = home.engine
    const untold = refused ?? (triggers === 'none' ? `${name} lets this table have none` : undefined)
    return { schema, ...own, pool: pools[0], listen: way.listen, home, known: { key, home }, untold, close }
  } catch (error) {
    await close().catch(() => {}) // what went wrong first says more
    throw error
  }
}

const handleOn = (pool: pg.Pool) => new Kysely<SuiteDatabase>({ dialect: new PostgresDialect({ pool }) })

/** So long (milliseconds) a drop may wait for what hangs; then that is ended. */
const dropPatience = 3_000

async function dropSchema(db: Kysely<SuiteDatabase>, pool: pg.Pool, schema: string): Promise<void> {
  const dropping = db.schema.dropSchema(schema).ifExists().cascade().execute()
  for (let isDropped = false; !isDropped; ) {
    const late = Symbol()
    isDropped = (await Promise.race([dropping, after(dropPatience, late)])) !== late
    if (!isDropped) await endBlockers(pool, schema)
  }
}

const after = <T>(milliseconds: number, value: T) =>
  new Promise<T>((resolve) => setTimeout(resolve, milliseconds, value).unref())

/** Ends sessions of the suite's own that keep what drops its schema waiting: statements that hang. */
async function endBlockers(pool: pg.Pool, schema: string): Promise<void> {
  const text = `select pg_catalog.pg_terminate_backend(b.pid)
    from pg_catalog.pg_stat_activity a
    cross join lateral unnest(pg_catalog.pg_blocking_pids(a.pid)) blocking(pid)
    join pg_catalog.pg_stat_activity b on b.pid = blocking.pid
    where a.application_name = $1 and a.query ilike 'drop schema%' and b.application_name = $1`
  await pool.query(text, [schema])
}

/** Where the server refuses triggers, which each says by another code, a table without. @returns what it said then */
async function makeTable(db: Kysely<SuiteDatabase>, distributeBy: string | undefined): Promise<string | undefined> {
  try {
    await make(db, { distributeBy })
    return undefined
  } catch (error) {
    if (sqlState(error) === undefined) throw error
    await make(db, { distributeBy, notify: 'none' }).catch(() => {
      throw error
    })
    return error instanceof Error ? error.message : String(error)
  }
}

const make = (db: Kysely<SuiteDatabase>, options: JobTableOptions) =>
  createJobTable(
    db,
    table,
    (builder) =>
      builder
        .addColumn('tenant_id', 'integer', (column) => column.notNull())
        .addColumn('label', 'text', (column) => column.notNull())
        .addColumn('once', 'text'),
    { columns: ['priority', 'max_attempts'], ...options },
  )
