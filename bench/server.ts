import { cpus, totalmem } from 'node:os'
import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import { type Postgres, startPostgres } from '../tools/postgres/start-postgres.ts'
import { sleep } from './clock.ts'
import { type ContenderName, contenders } from './contenders/all.ts'
import type { DB } from './contenders/kysely-jobs.ts'
import { serverCpu } from './server-cpu.ts'

/** What the server has done for one database. */
export interface Counters {
  readonly statements: number
  /** Pages touched by statements. */
  readonly buffers: number
  /** Bytes of write-ahead log, of all databases. */
  readonly wal: number
  /** Microseconds of CPU of all its processes; NaN where the system does not tell. */
  readonly cpu: number
}

/** As a small server would be set up; commits reach the disk. */
const settings = {
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  max_connections: '200',
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.max': '10000',
}

/** The server of one run of the bench. */
export class Server {
  readonly #postgres: Postgres
  readonly #admin: pg.Client
  readonly #databases = new Map<ContenderName, Promise<string>>()

  private constructor(postgres: Postgres, admin: pg.Client) {
    this.#postgres = postgres
    this.#admin = admin
  }

  static async start(): Promise<Server> {
    const postgres = await startPostgres({ settings })
    const admin = new pg.Client(postgres.url)
    await admin.connect()
    await admin.query('create extension pg_stat_statements')
    return new Server(postgres, admin)
  }

  async stop(): Promise<void> {
    await this.#admin.end()
    await this.#postgres.stop()
  }

  /** A contender's own database, migrated. */
  database(name: ContenderName): Promise<string> {
    const known = this.#databases.get(name) ?? this.#create(name)
    this.#databases.set(name, known)
    return known
  }

  async #create(name: ContenderName): Promise<string> {
    const url = await this.emptyDatabase(name.toLowerCase())
    await contenders[name].migrate(url)
    return url
  }

  async emptyDatabase(name: string): Promise<string> {
    await this.#admin.query(`create database "${name}"`)
    const url = new URL(this.#postgres.url)
    url.pathname = `/${name}`
    return url.href
  }

  async dropDatabase(url: string): Promise<void> {
    await this.#admin.query(`drop database "${new URL(url).pathname.slice(1)}" with (force)`)
  }

  /** Everything in place and nothing left to do for the server: a run begins. */
  async quiet(url: string): Promise<void> {
    await withClient(url, (client) => client.query('vacuum analyze'))
    await this.#admin.query('checkpoint')
  }

  async counters(url: string): Promise<Counters> {
    const { rows } = await this.#admin.query<Omit<Counters, 'cpu'> & { backend: number }>(
      `select pg_backend_pid() as backend, coalesce(sum(calls), 0)::float8 as statements,
        coalesce(sum(shared_blks_hit + shared_blks_read), 0)::float8 as buffers,
        pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as wal
      from pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = $1`,
      [new URL(url).pathname.slice(1)],
    )
    if (rows[0] === undefined) throw new Error('no counters')
    const { backend, ...counters } = rows[0]
    return { ...counters, cpu: serverCpu(backend) }
  }

  /** Waits, uncounted, until a contender has nothing left to do. */
  async finished(name: ContenderName): Promise<void> {
    await withClient(await this.database(name), async (client) => {
      await client.query(`set pg_stat_statements.track = 'none'`)
      const isUnfinished = async () => {
        const { rows } = await client.query<{ unfinished: boolean }>(contenders[name].unfinished)
        return rows[0]?.unfinished === true
      }
      while (await isUnfinished()) await sleep(2)
    })
  }

  /**
   * Waits until autovacuum has come and has no reason to come again to a database's job table, by the table's settings but
   * for how often it looks.
   */
  async autovacuumed(db: Kysely<DB>): Promise<void> {
    await this.#autovacuumEach('1s')
    await sql`select pg_stat_force_next_flush()`.execute(db)
    const isDone = sql<{ done: boolean }>`
      select last_autovacuum is not null and n_dead_tup <= 5000 and not exists (select from pg_stat_progress_vacuum p where p.relid = s.relid) as done
      from pg_stat_user_tables s where relname = 'jobs'`
    while ((await isDone.execute(db)).rows[0]?.done !== true) await sleep(200)
    await this.#autovacuumEach('1min')
  }

  async #autovacuumEach(period: string): Promise<void> {
    await this.#admin.query(`alter system set autovacuum_naptime = '${period}'`)
    await this.#admin.query('select pg_reload_conf()')
  }

  async machine(): Promise<string> {
    const { rows } = await this.#admin.query<{ server_version: string }>('show server_version')
    const gigabytes = Math.round(totalmem() / 2 ** 30)
    return `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${gigabytes} GB, Node ${process.version}, Postgres ${rows[0]?.server_version}`
  }
}

export async function withClient<Value>(url: string, use: (client: pg.Client) => Promise<Value>): Promise<Value> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}
