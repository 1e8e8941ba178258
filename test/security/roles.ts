import { randomBytes } from 'node:crypto'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { afterAll } from 'vitest'
import { blocksIn } from '../readme/blocks.js'
import { quietPool, type TestDatabase } from '../support/database.js'

export const securityPage = 'docs/security.md'

/** An SQL block of the page. */
export function sqlOf(name: string): string {
  const [block] = blocksIn('sql', securityPage).filter((each) => each.name === name)
  if (block === undefined) throw new Error(`${securityPage} has no SQL called ${name}`)
  return block.text
}

/** A role whose name is its test's own, as roles belong to the whole server; dropped with what it owns. */
export async function createRole({ db }: TestDatabase, attributes = ''): Promise<string> {
  const role = `test_role_${randomBytes(8).toString('hex')}`
  await sql.raw(`create role ${role} ${attributes}`).execute(db)
  afterAll(() => dropRoles(db, [role]))
  return role
}

export async function dropRoles(db: Kysely<any>, roles: readonly string[]): Promise<void> {
  const names = roles.join(', ')
  await sql.raw(`drop owned by ${names}; drop role ${names}`).execute(db)
}

/** What a connection needs to act as a role; further settings as `-c name=value`. */
export function actingAs({ url }: TestDatabase, role: string, settings = '') {
  return { connectionString: url, options: `-c role=${role} ${settings}`, max: 3 }
}

/** A handle whose connections act as a role. */
export function handleAs<DB = any>(database: TestDatabase<DB>, role: string, settings = ''): Kysely<DB> {
  const pool = quietPool(actingAs(database, role, settings))
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
  afterAll(() => db.destroy())
  return db
}
