import { type Kysely, type SqlBool, sql } from 'kysely'
import { isLimited, type Keyed } from '../../../src/queue/claim.ts'
import { inClaim } from '../../../src/queue/claim-transaction.ts'
import { compileKeyedFetch, firstAllowed, type KeyedRows } from '../../../src/queue/keyed-fetch.ts'
import { jobsOf } from '../../../src/schema/job-database.ts'
import { worker } from '../mail-jobs.ts'
import type { Wanted } from './allowed.ts'

/** By statements one after the other; as one message; or the one that is first by itself, as after a refusal. */
export type Way = 'steps' | 'message' | 'one'

export type Claims = (handle: Kysely<any>, way: Way, wanted: Wanted) => Promise<KeyedRows>

/** Workers meet at the same table with conditions of their own. */
export const conditions = [100, 5] as const

/** Claims as workers send them. @param db its statements are built by it, and sent by whoever claims */
export function claimsOf(db: Kysely<any>, keyed: Keyed): Claims {
  const jobs = jobsOf(db, 'key_jobs')
  const [all, some] = conditions.map((below) => {
    const where = below === conditions[0] ? undefined : sql<SqlBool>`place < ${below}`
    const claim = { columns: [], worker, keyed, where }
    return { claim, fetch: compileKeyedFetch(jobs, claim) }
  })
  const table = { schema: 'public', name: 'key_jobs' }
  const transaction = { limited: isLimited(keyed) ? table : undefined, silence: 10_000 }
  return (handle, way, { limit, quota, most, last, below }) =>
    handle.connection().execute(async (connection) => {
      const { claim, fetch } = below === conditions[0] ? all! : some!
      const { db } = jobsOf(connection, 'key_jobs')
      const walk = { last, most }
      if (way === 'message') return fetch(db, { limit, quota, walk }, transaction)
      if (way === 'steps') return inClaim(db, transaction, () => fetch(db, { limit, quota, walk }))
      const first = await inClaim(db, transaction, () => firstAllowed({ ...jobs, db }, claim, { quota, walk }))
      if (first === undefined) return { rows: [], walked: undefined, wait: undefined }
      const only = compileKeyedFetch(jobs, { ...claim, only: [first] })
      return inClaim(db, transaction, () => only(db, { limit: 1, quota, walk }))
    })
}
