import { type RawBuilder, sql } from 'kysely'
import { isRunning } from '../predicates/status.js'
import { readCatalog } from '../schema/catalog.js'
import type { Jobs } from '../schema/job-database.js'
import { quotedName, type TableName } from '../schema/names.js'
import { findSideTable, limitsTable } from '../schema/side-table.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { allowanceOf, type KeptLimits, keptKey } from './allowance.js'
import type { Keyed } from './claim.js'
import { countBound } from './count.js'
import { isUnfitForKeys } from './key-text.js'
import { realNames } from './returned.js'

/** How far the limits of a worker are used, by the jobs that run; where more than {@link countBound} do, by so many of them. */
export interface LimitsInUse {
  /** The largest share of a limit: of 4 of which 3 run, 0.75. */
  readonly share: number
  /** Of so many keys as many jobs run as may; all jobs together, where they have a limit, count as one. */
  readonly full: number
}

/**
 * By one look along the index of what runs: keys of which nothing does are not looked at. A limit that `limitJobs` has set goes before the
 * worker's own.
 * @param jobs as the worker's code writes its columns
 */
export async function limitsInUse(jobs: Jobs, of: TableName, keyed: Keyed): Promise<LimitsInUse> {
  const { by, max, total } = keyed
  const kept = await keptLimits(jobs, of, keyed)
  const names = realNames(jobs, by)
  const [most] = typeof max === 'object' ? realNames(jobs, [max.column]) : []
  const columns = [
    ...names.map((name, n) => sql`job.${sql.id(name)} as ${part(n)}`),
    sql`${most === undefined ? sql`null` : sql`job.${sql.id(most)}`}::bigint as most`,
  ]
  const running = sql`select ${sql.join(columns)} from ${sql.raw(quotedName(of))} as job
    where ${isRunning('job')} order by job.locked_by limit ${sql.lit(countBound)}`
  const parts = names.map((_, n) => part(n))
  const uses = [
    ...(max === undefined
      ? []
      : [
          sql`select count(*), ${typeof max === 'number' ? allowed(kept, parts, max) : sql`min(most)`} from running group by ${sql.join(parts)}`,
        ]),
    ...(total === undefined ? [] : [sql`select count(*), ${allowed(kept, [], total)} from running`]),
  ]
  const share = sql`max(case when most > 0 then jobs::float8 / most else 1 end)`
  const query = sql`with running as (${running}), used(jobs, most) as (${sql.join(uses, sql` union all `)})
    select ${asJsonText([share, sql`count(*) filter (where jobs >= most)`])} from used where most is not null`
  const [text] = await textsOf(jobs.db, query.compile(jobs.db.withoutPlugins()))
  const [largest, full] = JSON.parse(text ?? '') as [number | null, number] // just made
  return { share: largest ?? 0, full }
}

const part = (n: number) => sql.raw(`key${n}`)

function allowed(kept: KeptLimits | undefined, parts: readonly RawBuilder<unknown>[], own: number) {
  if (kept === undefined) return sql`${own}::bigint`
  return sql`coalesce((select max from ${allowanceOf(kept, keptKey(kept, parts), undefined)} as kept), ${own}::bigint)`
}

/** Where there are limits of single keys that this role may read, and the worker heeds such. */
async function keptLimits(jobs: Jobs, of: TableName, { by, max, total }: Keyed): Promise<KeptLimits | undefined> {
  if (total === undefined && typeof max !== 'number') return undefined
  const [found, catalog] = [await findSideTable(jobs.db, limitsTable), await readCatalog(jobs.db.withoutPlugins(), of)]
  if (!found?.isOurs || !found.mayRead) return undefined
  const typeOf = (name: string) => catalog?.columns.find((column) => column.name === name)?.type ?? ''
  const columns = realNames(jobs, by).map((name) => ({ name, type: typeOf(name) }))
  return columns.some(({ type }) => isUnfitForKeys(type)) ? undefined : { table: found.table, of, columns }
}
