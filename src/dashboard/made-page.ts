import type { Kysely } from 'kysely'
import { reading } from '../observe/reading.js'
import type { JobDatabase } from '../schema/job-database.js'
import { ask } from '../worker/ask.js'
import type { Page, Visit } from './parts/page.js'

/** How long (milliseconds) a page waits for the database: for one statement, and for all of them. */
const statementLimit = 5_000
const pageLimit = 8_000

/** Makes a page from what it reads, by the database's clock. */
export function madePage(visit: Visit, show: (visit: Visit, db: Kysely<JobDatabase>) => Promise<Page>): Promise<Page> {
  return ask(visit.site.db, pageLimit, 'the page', (connection) =>
    reading(connection, statementLimit, (db, now) => show({ ...visit, now }, db)),
  )
}

/** The page of a form that was refused, once more: with what was typed, it says what is wrong with it. */
export async function pageAgain(visit: Visit, show: Parameters<typeof madePage>[1]): Promise<Page> {
  return { ...(await madePage(visit, show)), status: 422, live: false }
}
