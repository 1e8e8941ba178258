import { sql } from 'kysely'
import { type Examined, readJson } from '../read.js'

/** A session of this database that is in a transaction. */
export interface Session {
  readonly pid: number
  readonly application: string
  readonly user: string
  /** How long its transaction has lasted, and how long it has been in its state (seconds). */
  readonly age: number
  readonly since: number
  readonly isIdle: boolean
  /** When the transaction began: with the pid it names just this one. */
  readonly began: string
}

/** Whoever keeps vacuum from taking away what is dead: so many transactions have begun since the oldest that it wants to see. */
export interface Holder {
  readonly name: string
  readonly transactions: number
  readonly isActive: boolean
}

/** What the server says of itself, and of whoever holds it up. */
export interface ServerFacts {
  /** As 180004 of 18.4. */
  readonly version: number
  readonly database: string
  readonly role: string
  /** Its clock, in milliseconds of 1970. */
  readonly clock: number
  readonly isStandby: boolean
  /** `default_transaction_read_only`, and by whom it is set as pg_settings has it. */
  readonly readOnly: boolean
  readonly readOnlyBy: string
  readonly autovacuum: boolean
  readonly connections: number
  /** Those that are not kept for superusers. */
  readonly maxConnections: number
  /** How full the queue of notifications is, from 0 to 1. */
  readonly notifyQueue: number
  readonly sessions: readonly Session[]
  /** So many sessions of others hide from this role what they do. */
  readonly hidden: number
  readonly prepared: readonly { readonly name: string; readonly owner: string; readonly age: number }[]
  readonly slots: readonly Holder[]
  readonly standbys: readonly Holder[]
}

/** Reads it in one statement; a query of anybody's is never read. */
export async function readServer(db: Examined): Promise<ServerFacts> {
  const [facts] = await readJson<ServerFacts>(db, server)
  if (facts === undefined) throw new TypeError('The server answered with no row')
  return facts
}

const setting = (name: string) => sql`pg_catalog.current_setting(${sql.lit(name)}, true)`
const number = (name: string) => sql`coalesce(${setting(name)}::int4, 0)`
const seconds = (since: string) => sql.raw(`extract(epoch from pg_catalog.clock_timestamp() - ${since})::float8`)
const ofReadOnly = (column: string) => sql`(
  select ${sql.raw(column)} from pg_catalog.pg_settings where name = 'default_transaction_read_only')`
const list = (value: unknown, from: unknown) => sql`(select coalesce(pg_catalog.json_agg(${value}), '[]') ${from})`

const sessions = list(
  sql`pg_catalog.json_build_object('pid', a.pid, 'application', coalesce(a.application_name, ''), 'user', coalesce(a.usename, ''),
    'age', ${seconds('a.xact_start')}, 'since', ${seconds('a.state_change')}, 'isIdle', a.state like 'idle in transaction%',
    'began', a.xact_start) order by a.xact_start`,
  sql`from pg_catalog.pg_stat_activity a
    where a.datname = pg_catalog.current_database() and a.backend_type = 'client backend' and a.xact_start is not null
      and a.pid <> pg_catalog.pg_backend_pid()`,
)

const hidden = sql`(
  select pg_catalog.count(*) from pg_catalog.pg_stat_activity a
  where a.datname = pg_catalog.current_database() and a.usesysid is not null
    and not pg_catalog.pg_has_role(a.usesysid, 'usage') and not pg_catalog.pg_has_role('pg_read_all_stats', 'usage'))`

const prepared = list(
  sql`pg_catalog.json_build_object('name', p.gid, 'owner', p.owner, 'age', ${seconds('p.prepared')}) order by p.prepared`,
  sql`from pg_catalog.pg_prepared_xacts p where p.database = pg_catalog.current_database()`,
)

const slots = list(
  sql`pg_catalog.json_build_object('name', s.slot_name, 'transactions', pg_catalog.age(s.xmin), 'isActive', s.active) order by s.slot_name`,
  sql`from pg_catalog.pg_replication_slots s where s.xmin is not null`,
)

const standbys = list(
  sql`pg_catalog.json_build_object('name', coalesce(r.application_name, ''), 'transactions', pg_catalog.age(r.backend_xmin), 'isActive', true)`,
  sql`from pg_catalog.pg_stat_replication r where r.backend_xmin is not null`,
)

const server = sql`pg_catalog.json_build_object(
  'version', ${number('server_version_num')},
  'database', pg_catalog.current_database(),
  'role', current_user,
  'clock', (extract(epoch from pg_catalog.clock_timestamp()) * 1000)::numeric,
  'isStandby', pg_catalog.pg_is_in_recovery(),
  'readOnly', ${ofReadOnly("setting = 'on'")},
  'readOnlyBy', ${ofReadOnly('source')},
  'autovacuum', ${setting('autovacuum')} = 'on' and ${setting('track_counts')} = 'on',
  'connections', (select pg_catalog.sum(numbackends) from pg_catalog.pg_stat_database),
  'maxConnections', ${number('max_connections')} - ${number('superuser_reserved_connections')} - ${number('reserved_connections')},
  'notifyQueue', case when not pg_catalog.pg_is_in_recovery() then pg_catalog.pg_notification_queue_usage() else 0 end,
  'sessions', ${sessions}, 'hidden', ${hidden}, 'prepared', ${prepared}, 'slots', ${slots},
  'standbys', case when pg_catalog.pg_is_in_recovery() then '[]'::json else ${standbys} end)`
