import { registerHooks } from 'node:module'

/** A user's program with kysely 0.28, for itself and for us: the built package, as their Node would load it. */
registerHooks({
  resolve: (specifier, context, next) => next(specifier === 'kysely' ? 'kysely-0.28' : specifier, context),
})
const { Kysely, PostgresDialect, CamelCasePlugin } = await import('kysely')
const { createJobTable } = await import('kysely-jobs/migrate')
const { everyVerb } = await import('./every-verb.ts')
const { default: pg } = await import('pg')

const pool = new pg.Pool({ connectionString: process.argv[2] })
const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
// What tells the two versions apart: that the hook took hold is part of what is said.
const version = import.meta.resolve('kysely').includes('kysely-0.28') ? '0.28' : 'of another version'
await createJobTable(db, 'mail_jobs', (table) => table.addColumn('user_id', 'text'))
await everyVerb(db, 'mail_jobs', (n) => ({ user_id: `user ${n}` }))
await everyVerb(db.withPlugin(new CamelCasePlugin()), 'mailJobs', (n) => ({ userId: `user ${n}` }))
await db.destroy()
console.log(`kysely ${version}: every verb`)
