import { type QueryExecutorProvider, sql } from 'kysely'
import type { Placement } from './engine.js'

/**
 * Gives settings other values until the transaction ends, where its rows are read: on other servers too, as Citus tells its nodes what a SET LOCAL says,
 * when it is told to, and nothing that a function sets.
 */
export async function setLocally(
  db: { withoutPlugins(): QueryExecutorProvider },
  { kind }: Placement,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const plain = db.withoutPlugins()
  if (kind === 'local') {
    const taken = Object.entries(settings).map(([name, value]) => sql`pg_catalog.set_config(${name}, ${value}, true)`)
    await sql`select ${sql.join(taken.map((each, n) => sql`${each} as ${sql.raw(`s${n}`)}`))}`.execute(plain)
    return
  }
  const taken = Object.entries({ 'citus.propagate_set_commands': 'local', ...settings })
  await sql.raw(taken.map(([name, value]) => `set local ${name} = '${value}'`).join('; ')).execute(plain)
}
