import { chmodSync, cpSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { serverAccount } from '../../tools/postgres/account.ts'
import { give } from '../../tools/postgres/binaries.ts'
import { type Postgres, startPostgres } from '../../tools/postgres/start-postgres.ts'

/** A server that repeats what another does, and answers questions meanwhile. */
export interface Standby extends Postgres {
  /** Makes it a server of its own; resolves when it takes what is written. */
  promote(): Promise<void>
}

/**
 * Gives a server a standby. From then on it acknowledges a commit when the standby has it, so that no promotion can lose
 * one. It is halted for the copy of its data, which lies in its own folder: stop the standby first.
 */
export async function startStandby(primary: Postgres): Promise<Standby> {
  const [{ data }] = await query(primary.url, `select current_setting('data_directory') as data`)
  await primary.halt('fast')
  const copy = join(dirname(data), 'standby')
  cpSync(data, copy, { recursive: true })
  writeFileSync(join(copy, 'standby.signal'), '')
  chmodSync(copy, 0o700) // a server refuses data that others may read
  const account = serverAccount()
  if (account !== undefined) give(copy, account)
  await primary.resume()
  const settings = {
    primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres`,
    wal_retrieve_retry_interval: '100ms', // for so long it does not hear that it is promoted
    synchronous_commit: 'on',
  }
  const standby = await startPostgres({ fsync: false, dataDirectory: copy, settings })
  await query(primary.url, `alter system set synchronous_standby_names = '*'`)
  await query(primary.url, 'select pg_reload_conf()')
  while ((await query(primary.url, `select from pg_stat_replication where sync_state = 'sync'`)).length === 0);
  return { ...standby, promote: () => query(standby.url, 'select pg_promote()').then(() => {}) }
}

async function query(url: string, statement: string): Promise<any[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}
