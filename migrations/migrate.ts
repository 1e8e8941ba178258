import type { Kysely } from 'kysely'
import { type MigrationResultSet, Migrator } from 'kysely/migration'
import * as sendMailJobs from './001-send-mail-jobs.ts'
import * as users from './002-users.ts'
import * as accounts from './003-accounts.ts'
import * as fileJobs from './004-file-jobs.ts'
import * as mailJobs from './005-mail-jobs.ts'

const migrations = {
  '001-send-mail-jobs': sendMailJobs,
  '002-users': users,
  '003-accounts': accounts,
  '004-file-jobs': fileJobs,
  '005-mail-jobs': mailJobs,
}

/** Makes the tables of the tests, the demo and the examples, by Kysely's own Migrator. */
export async function migrate(db: Kysely<any>): Promise<void> {
  succeed(await migrator(db).migrateToLatest())
}

/** Takes them all away again. */
export async function unmigrate(db: Kysely<any>): Promise<void> {
  const everything = migrator(db)
  for (const _ of Object.keys(migrations)) succeed(await everything.migrateDown())
}

function migrator(db: Kysely<any>): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => migrations } })
}

/** The Migrator does not throw; it tells. */
function succeed({ error }: MigrationResultSet): void {
  if (error !== undefined) throw error
}
