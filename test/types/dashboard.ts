import type { Kysely } from 'kysely'
import { type Action, type Authorize, dashboard } from 'kysely-jobs/dashboard'
import { type DB, type Equal, holds } from './database.js'

declare const db: Kysely<DB>
declare const session: { readonly name: string } | undefined

const authorize: Authorize = () => 'all'

export const all = [
  dashboard(db, { tables: ['mail_jobs', 'report_jobs'], authorize }),
  dashboard(db, { tables: { mail_jobs: {} }, authorize: () => session && { user: session.name, may: 'read' } }),
  dashboard(db, {
    tables: {
      mail_jobs: {
        columns: ['user_id'],
        joined: { user_id: ['email'] },
        hide: ['template', 'last_error'],
        link(job) {
          holds<Equal<typeof job.template, string | null>>()
          holds<Equal<typeof job.created_at, string | null>>()
          return job.user_id === null ? undefined : `/users/${job.user_id}`
        },
      },
      report_jobs: { title: 'Reports' },
    },
    authorize: async (request) =>
      request.headers.has('x')
        ? { may: (action: Action, table: string) => action === 'view' && table === 'mail_jobs' }
        : false,
    onAction({ user, changed }) {
      holds<Equal<typeof user, string | undefined>>()
      holds<Equal<typeof changed, number | undefined>>()
    },
  }),
  dashboard(db, { tables: ['mail_jobs'], authorize: () => Response.redirect('/login') }),
]

// @ts-expect-error Type '"users"' is not assignable to type 'JobTableName<DB>'
dashboard(db, { tables: ['users'], authorize })
// @ts-expect-error 'users' does not exist in type
dashboard(db, { tables: { users: {} }, authorize })
// @ts-expect-error Type '"token"' is not assignable to type
dashboard(db, { tables: { mail_jobs: { hide: ['token'] } }, authorize })
// @ts-expect-error Type '"tenplate"' is not assignable to type
dashboard(db, { tables: { mail_jobs: { columns: ['tenplate'] } }, authorize })
// @ts-expect-error 'usr_id' does not exist in type
dashboard(db, { tables: { mail_jobs: { joined: { usr_id: ['email'] } } }, authorize })
// @ts-expect-error Property 'token' does not exist on type
dashboard(db, { tables: { mail_jobs: { link: (job) => job.token } }, authorize })
// @ts-expect-error Property 'authorize' is missing
dashboard(db, { tables: ['mail_jobs'] })
// @ts-expect-error Type '"write"' is not assignable to type
dashboard(db, { tables: ['mail_jobs'], authorize: () => 'write' })
// @ts-expect-error 'theme' does not exist in type
dashboard(db, { tables: ['mail_jobs'], authorize, theme: 'dark' })
