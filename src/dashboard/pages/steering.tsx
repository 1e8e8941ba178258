import type { Kysely } from 'kysely'
import { FilterError } from '../../observe/filter-error.js'
import { aliveWorkersOf } from '../../observe/heeded-limit.js'
import { limitUse } from '../../observe/limit-use.js'
import type { JobView } from '../../observe/view.js'
import { listLimits } from '../../queue/limit-jobs.js'
import { listPauses } from '../../queue/pause.js'
import type { WorkerState } from '../../records/worker-state.js'
import { type JobDatabase, jobsOf } from '../../schema/job-database.js'
import { SideTableError } from '../../schema/side-table.js'
import { tableFor } from '../answers.js'
import { type InUse, Limits } from '../parts/limits.js'
import type { Page, Params, Visit } from '../parts/page.js'
import { Pauses } from '../parts/pauses.js'
import { TableHead } from '../parts/tabs.js'
import { readRunners } from '../recorded.js'
import { seenTable } from '../seen-table.js'
import { type Typed, typedIn } from '../typed.js'

/** What of a table is paused, and how far its limits are used; and what was typed into a form that was refused. */
export async function steeringPage(
  visit: Visit,
  db: Kysely<JobDatabase>,
  { table: name }: Params,
  typed?: Typed,
): Promise<Page> {
  const listed = tableFor(visit, name)
  const seen = await seenTable(db, listed)
  const jobs = jobsOf(db, listed.name)
  const pauses = await unlessMissing(listPauses(db, jobs.name))
  const kept = await unlessMissing(listLimits(db, jobs.name))
  const workers = aliveWorkersOf(seen.view, (await readRunners(db)) ?? [])
  const limits = await limitsInUse(db, seen.view, workers)
  const of = (act: string) => (typedIn(typed, 'act') === act ? typed : undefined)
  const main = (
    <>
      <TableHead visit={visit} table={listed} />
      <section class="sheet">
        <h2>Pauses</h2>
        <Pauses visit={visit} seen={seen} pauses={pauses} typed={of('pause')} />
      </section>
      <section class="sheet">
        <h2>Limits</h2>
        <Limits visit={visit} seen={seen} kept={kept} limits={limits} workers={workers} typed={of('limit')} />
      </section>
    </>
  )
  return { title: `Pauses and limits of ${listed.title}`, main }
}

/** Or why there are none. */
async function unlessMissing<Found>(found: Promise<Found[]>): Promise<Found[] | string> {
  try {
    return await found
  } catch (error) {
    if (error instanceof SideTableError) return error.message
    throw error
  }
}

/** The limits of the workers that are alive, and how many jobs run of each key. */
async function limitsInUse(db: Kysely<JobDatabase>, view: JobView, workers: readonly WorkerState[]): Promise<InUse[]> {
  const limits = new Map(workers.flatMap(({ limit }) => (limit === undefined ? [] : [[JSON.stringify(limit), limit]])))
  const inUse: InUse[] = []
  for (const limit of limits.values()) inUse.push({ limit, keys: await limitUse(db, view, limit.by).catch(unlessSeen) })
  return inUse
}

function unlessSeen(error: unknown): undefined {
  if (!(error instanceof FilterError)) throw error
}
