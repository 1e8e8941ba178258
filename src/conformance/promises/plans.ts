import { randomUUID } from 'node:crypto'
import { sqlState } from '../../pg/error-class.js'
import { fetchNextJobs } from '../../queue/fetch.js'
import { nextDueAt } from '../../queue/next-due.js'
import { expectAtMost, expectSame } from '../broken.js'
import { explaining, type Plan, plansOf } from '../plans-of.js'
import type { Promised } from '../promised.js'
import type { Scene } from '../scene.js'
import { table } from '../suite-table.js'

const jobs = 20_000

/** A claim of ten touches 110 pages, the question for the next job three, however many jobs there are. The table has 290. */
const mostBuffers = 200

/** As workers of this table ask: its index is by priority. */
const columns = ['priority'] as const

export const plans: Promised = {
  name: 'plans',
  says: 'A claim, and the question for the next job, go by an index, whatever the table holds',
  run: async (scene) => {
    await scene.enqueue(jobs)
    const reason = await whyUnexplained(scene)
    if (reason !== undefined) return { verdict: 'absent', reason }
    const found = await explained(scene)
    for (const { what, plan } of found) expectSame(`${what}, tables that are read as a whole`, plan.whole, [])
    const growing = found.find(({ plan }) => asksForValues(scene, plan))
    for (const { what, plan } of found.filter((each) => each !== growing))
      expectAtMost(`pages that ${what} touches`, plan.buffers, mostBuffers)
    return growing && { verdict: 'absent', reason: valuesReason(scene, growing.plan) }
  },
}

/** Of a distributed table, which values have due jobs. */
const asksForValues = ({ stage }: Scene, { statement }: Plan): boolean =>
  stage.home.placement.kind === 'distributed' && / group by /.test(statement)

const valuesReason = ({ stage: { home } }: Scene, { buffers }: Plan): string =>
  `claims of a value go by an index; but to ask which values have due jobs takes an index of all that are due (here ${buffers} pages for ${jobs} jobs), as ${home.engine.name} has no way from one value to the next`

async function whyUnexplained({ stage: { pool, home } }: Scene): Promise<string | undefined> {
  try {
    await pool.query(`${explaining} select 1`)
    return undefined
  } catch (error) {
    if (sqlState(error) === undefined) throw error
    return `${home.engine.name} explains no plan by its pages: ${error instanceof Error ? error.message : String(error)}`
  }
}

async function explained(scene: Scene): Promise<{ readonly what: string; readonly plan: Plan }[]> {
  const { schema, pool, known } = scene.stage
  const of = async (what: string, verb: Parameters<typeof plansOf>[2]) =>
    (await scene.until(`the plan of ${what}`, plansOf(pool, schema, verb))).map((plan) => ({ what, plan }))
  const claim = await of('a claim of ten', (db) =>
    fetchNextJobs(db, table, { worker: randomUUID(), limit: 10, columns, ...known }),
  )
  return [...claim, ...(await of('the question for the next job', (db) => nextDueAt(db, table, { columns })))]
}
