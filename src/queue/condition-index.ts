import { type CompiledQuery, type Kysely, sql } from 'kysely'
import { conditionOfIndex } from '../predicates/condition.js'
import { isPending } from '../predicates/status.js'
import type { JobDatabase, Jobs } from '../schema/job-database.js'
import { dueOrder, quoted, quotedName, type TableName } from '../schema/names.js'
import { textsOf } from '../schema/text.js'
import { type Claim, isByPriority } from './claim.js'
import { question } from './next-due.js'
import { realNames } from './returned.js'

/**
 * The index that the condition of a claim wants: while there is none, each look for jobs reads those of other conditions too.
 * Found out by Postgres' plan for the next due time, with the condition and without it: where both filter alike, an index has it.
 * @returns a sentence with the statement that makes it; undefined: there is one
 */
export async function adviceOnCondition(jobs: Jobs, claim: Claim, table: TableName): Promise<string | undefined> {
  if (claim.where === undefined) return undefined
  const anyone = { ...claim, where: sql<boolean>`true` }
  const [withIt, withoutIt] = await plans(jobs, [question(jobs, claim), question(jobs, anyone)])
  if (withIt === withoutIt) return undefined
  const name = quotedName(table)
  const want = `where: each look for jobs reads those of other workers as well, as no index of ${name} has the condition`
  const { sql: condition, parameters } = conditionOfIndexSql(jobs, claim)
  if (parameters.length > 0 || /\bselect\b/i.test(condition))
    return `${want}; one that begins with the columns that it compares helps`
  const columns = isByPriority(claim) ? [['priority desc', 'run_at'], [dueOrder]] : [['run_at']]
  const key = realNames(jobs, claim.keyed?.by ?? []).map(quoted)
  if (key.length > 0) columns.push([...key, ...(isByPriority(claim) ? ['priority desc'] : []), 'run_at'])
  const indexes = columns.map((list) => `create index concurrently on ${name} (${list.join(', ')}) where ${condition}`)
  return `${want}; in a migration, outside of a transaction, this makes ${indexes.length > 1 ? 'them' : 'one'}: ${indexes.join('; ')}`
}

function conditionOfIndexSql({ db }: Jobs, { where }: Claim): CompiledQuery {
  const condition = where === undefined ? sql`true` : conditionOfIndex(where)
  return sql`${isPending()} and ${condition}`.compile(db)
}

/** What the plans of statements filter by, where a plan that reads the whole table or sorts it counts for nothing. */
function plans({ db }: Jobs, statements: readonly CompiledQuery[]): Promise<string[]> {
  const ask = async (trx: Kysely<JobDatabase>) => {
    await sql`set local enable_seqscan = off; set local enable_sort = off; set local enable_bitmapscan = off`.execute(
      trx,
    )
    const found: string[] = []
    for (const { sql: text, parameters } of statements) {
      const explained = { ...statements[0], sql: `explain (costs off) ${text}`, parameters } as CompiledQuery // all that is sent
      const lines = await textsOf(trx, explained)
      found.push(lines.filter((line) => line?.trim().startsWith('Filter:')).join())
    }
    return found
  }
  return db.isTransaction ? Promise.resolve(['', '']) : db.transaction().execute(ask)
}
