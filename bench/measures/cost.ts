import type { CompiledQuery, ControlledTransaction, Kysely } from 'kysely'
import type { DB } from '../contenders/kysely-jobs.ts'

export type Trx = ControlledTransaction<DB, string[]>

/** What a statement costs on a table. */
export interface Cost {
  /** For each row where it writes a batch. */
  readonly pages: number
  /** Milliseconds of the server, without planning: the least of some runs. */
  readonly time: number
  /** Milliseconds of planning: the least of some. */
  readonly planning: number
}

interface Explained {
  readonly 'QUERY PLAN': readonly [
    {
      readonly Plan: { readonly 'Shared Hit Blocks': number; readonly 'Shared Read Blocks': number }
      readonly 'Execution Time': number
      readonly 'Planning Time': number
    },
  ]
}

/** How often a statement is run; the first run finds the pages cold. */
const runs = 5

/** Runs a verb's statement, undoes it, and runs it again and again to count the pages, warm, and to time it. */
export async function cost(
  trx: Trx,
  statements: CompiledQuery[],
  verb: () => Promise<unknown>,
  rows = 1,
): Promise<Cost> {
  const undone = async <Value>(run: () => Promise<Value>) => {
    const saved = await trx.savepoint('before').execute()
    const value = await run()
    await saved.rollbackToSavepoint('before').execute()
    return value
  }
  const statement = await undone(async () => {
    const from = statements.length
    await verb()
    return statements[from]
  })
  if (statement === undefined) throw new Error('the verb ran no statement')
  const explain = { ...statement, sql: `explain (analyze, buffers, timing off, format json) ${statement.sql}` }
  const costs: Cost[] = []
  for (let run = 0; run < runs; run++) {
    const answer = await undone(() => trx.executeQuery<Explained>(explain))
    const explained = answer.rows[0]?.['QUERY PLAN'][0]
    const { 'Shared Hit Blocks': hit = Number.NaN, 'Shared Read Blocks': read = Number.NaN } = explained?.Plan ?? {}
    const { 'Execution Time': time = Number.NaN, 'Planning Time': planning = Number.NaN } = explained ?? {}
    costs.push({ pages: (hit + read) / rows, time, planning })
  }
  const least = (field: keyof Cost) => Math.min(...costs.map((each) => each[field]))
  return { pages: costs[0]?.pages ?? Number.NaN, time: least('time'), planning: least('planning') }
}

export async function inTransaction<Value>(db: Kysely<DB>, use: (trx: Trx) => Promise<Value>): Promise<Value> {
  const trx = await db.startTransaction().execute()
  try {
    return await use(trx)
  } finally {
    await trx.rollback().execute()
  }
}
