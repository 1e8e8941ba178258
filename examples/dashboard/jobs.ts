import { Kysely, PostgresDialect } from 'kysely'
import { guardPool } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import pg from 'pg'
import type { DB } from '../db.ts'

const pool = guardPool(new pg.Pool({ connectionString: process.env.DATABASE_URL }))
const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })

/** The dashboard of all examples, below /jobs: for whoever knows the password, as any user. */
export const jobs = dashboard(db, {
  tables: ['send_mail_jobs'],
  basePath: '/jobs',
  authorize(request) {
    const [, login = ''] = request.headers.get('authorization')?.split('Basic ') ?? []
    const [user, password] = atob(login).split(':')
    if (password !== undefined && password === process.env.ADMIN_PASSWORD) return { user, may: 'all' }
    return new Response('Who are you?', { status: 401, headers: { 'www-authenticate': 'Basic' } })
  },
})
