import { type Kysely, sql } from 'kysely'
import { type JobDatabase, jobsOf } from '../schema/job-database.js'
import type { ReadonlyQueryable } from '../schema/job-table.js'
import { quotedName, type TableName } from '../schema/names.js'
import { runnersTable, sideTable } from '../schema/side-table.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { unlessUndone } from '../schema/undone.js'
import type { WorkerState } from './worker-state.js'

/** A runner, which is a process, as it has written itself down. */
export interface RunnerState {
  readonly id: string
  readonly host: string
  readonly pid: number
  /** The version of kysely-jobs, and of Node. */
  readonly version: string
  readonly nodeVersion: string
  /** By the database's clock, as is `seenAt`, when it last wrote: every ten seconds it does. */
  readonly startedAt: Date
  readonly seenAt: Date
  /** It was seen within the last thirty seconds. */
  readonly alive: boolean
  readonly workers: readonly WorkerState[]
}

/** What a runner says of itself. */
export interface WrittenRunner
  extends Pick<RunnerState, 'id' | 'host' | 'pid' | 'version' | 'nodeVersion' | 'workers'> {
  /** Milliseconds since it started. */
  readonly uptime: number
}

/** Whoever was not seen for so long (seconds) is gone, and after so long its row is deleted by any other. */
const aliveFor = 30
const keptFor = 3_600

const seconds = (count: number) => sql`make_interval(secs => ${count}::float8)`

/**
 * Writes a runner's row, and deletes those of runners that are long gone. Rows that another is deleting are left to it, so that nobody waits for
 * anybody.
 */
export async function writeRunner(db: Kysely<JobDatabase>, table: TableName, runner: WrittenRunner): Promise<void> {
  const { id, host, pid, version, nodeVersion, uptime, workers } = runner
  const [name, plain] = [sql.raw(quotedName(table)), db.withoutPlugins()]
  const query = sql`
    with gone as (delete from ${name} where id in (
      select id from ${name} where seen_at < now() - ${seconds(keptFor)} and id <> ${id}::uuid for update skip locked))
    insert into ${name} (id, host, pid, package_version, node_version, started_at, workers)
    values (${id}::uuid, ${host}, ${pid}::integer, ${version}, ${nodeVersion}, now() - ${seconds(uptime / 1000)}, ${JSON.stringify(workers)}::jsonb)
    on conflict (id) do update set seen_at = excluded.seen_at, workers = excluded.workers`
  await unlessUndone(plain, () => plain.executeQuery(query.compile(plain)))
}

/** Deletes the row of a runner that has stopped. */
export async function deleteRunner(db: Kysely<JobDatabase>, table: TableName, id: string): Promise<void> {
  const plain = db.withoutPlugins()
  await unlessUndone(plain, () =>
    plain.executeQuery(sql`delete from ${sql.raw(quotedName(table))} where id = ${id}::uuid`.compile(plain)),
  )
}

const milliseconds = (time: string) => sql.raw(`(extract(epoch from ${time}) * 1000)::numeric`)

const row = asJsonText([
  ...['id', 'host', 'pid', 'package_version', 'node_version'].map((name) => sql.ref(name)),
  ...[milliseconds('started_at'), milliseconds('seen_at'), sql`seen_at > now() - ${seconds(aliveFor)}`],
  sql.ref('workers'),
])

type Row = readonly [
  id: string,
  host: string,
  pid: number,
  version: string,
  nodeVersion: string,
  startedAt: number,
  seenAt: number,
  alive: boolean,
  workers: readonly WorkerState[],
]

/**
 * The runners of a database, by when they started, with their workers; those that died without a word are listed for an hour, not `alive`.
 * By the table that `createJobRunners` makes.
 *
 * @example const versions = new Set((await listRunners(db)).filter(({ alive }) => alive).map(({ version }) => version))
 * @throws SideTableError
 */
export async function listRunners<DB>(db: ReadonlyQueryable<DB>): Promise<RunnerState[]> {
  const jobs = jobsOf(db, runnersTable.name)
  return runnersIn(jobs.db, await sideTable(jobs.db, runnersTable, 'read'))
}

/** The same of a table that is known. */
export async function runnersIn(db: Kysely<JobDatabase>, table: TableName): Promise<RunnerState[]> {
  const query = sql`select ${row} from ${sql.raw(quotedName(table))} order by started_at, id`
  const texts = await textsOf(db, query.compile(db.withoutPlugins()))
  return texts.map((text) => {
    const [id, host, pid, version, nodeVersion, startedAt, seenAt, alive, workers] = JSON.parse(text ?? '') as Row // just made
    const times = { startedAt: new Date(startedAt), seenAt: new Date(seenAt) }
    return { id, host, pid, version, nodeVersion, ...times, alive, workers: workers.map(asRead) }
  })
}

/** What was undefined is missing in JSON, and a time is a text. */
function asRead(worker: WorkerState): WorkerState {
  const { lastFetch, leaseMargin, paused, keyed, limit } = worker
  return { ...worker, leaseMargin, paused, keyed, limit, lastFetch: lastFetch && new Date(lastFetch) }
}
