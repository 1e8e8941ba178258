import type { Kysely } from 'kysely'
import { spanText } from '../../observe/time-text.js'
import type { RefusedJob } from '../../queue/changed-jobs.js'
import type { JobDatabase } from '../../schema/job-database.js'
import type { BulkRun } from '../actions/runs.js'
import { Forbidden, tableFor } from '../answers.js'
import { Head } from '../parts/head.js'
import { Notice } from '../parts/notice.js'
import type { Act, Page, Params, Visit } from '../parts/page.js'
import { address } from '../site.js'

const mostRefused = 50

/** How far a bulk action is. */
export async function runPage(
  visit: Visit,
  _: Kysely<JobDatabase>,
  { table: name, run: id = '' }: Params,
): Promise<Page> {
  const table = tableFor(visit, name)
  const run = visit.site.runs.find(id)
  const crumbs = [{ text: table.title, href: address(visit.site, ['tables', table.name]) }]
  const main =
    run === undefined || run.table !== table.name ? (
      <>
        <Head title="Bulk action" crumbs={crumbs} />
        <Notice tone="info" title="Nothing is known of this run here">
          It ended long ago, or goes on in another process of the app; the list shows what it has done.
        </Notice>
      </>
    ) : (
      <>
        <Head title={`${run.verb}: ${stageOf(run)}`} crumbs={crumbs} />
        <section class="sheet padded stack">
          <Progress run={run} />
          {run.end === undefined ? mayStop(visit, run) && <Stop visit={visit} run={run} /> : <End run={run} />}
          <p>
            <a class="button" href={run.back.href}>
              {run.back.text}
            </a>
          </p>
        </section>
      </>
    )
  return { title: 'Bulk action', main, ...(run?.end === undefined && { refresh: 2 }) }
}

/** Stops a run before its next chunk: what is done stays done. */
export const stopRun: Act = async (visit, _, { table: name, run: id = '' }) => {
  const table = tableFor(visit, name)
  const run = visit.site.runs.find(id)
  if (run?.table === table.name) {
    if (!mayStop(visit, run)) throw new Forbidden()
    if (run.end === undefined) run.stop()
  }
  return address(visit.site, ['tables', table.name, 'runs', id])
}

/** Who may do the same. */
const mayStop = ({ viewer }: Visit, { action, table }: BulkRun): boolean => viewer.may(action, table)

function Progress({ run: { progress, startedAt, end } }: { readonly run: BulkRun }) {
  if (progress === undefined) return end === undefined ? <p class="quiet">Looking for the jobs…</p> : null
  const { changed, refused, total } = progress
  const done = changed + refused
  const time = (end?.at ?? performance.now()) - startedAt
  const rate = done / Math.max(1, time / 1_000)
  const left = end === undefined && done > 0 ? `, ${spanText(((total - done) / rate) * 1_000)} left` : ''
  return (
    <>
      <progress max={Math.max(1, total)} value={done} aria-label="Jobs done" />
      <p class="quiet">
        {done.toLocaleString('en')} of {total.toLocaleString('en')} jobs
        {time >= 1_000 && `, ${Math.round(rate).toLocaleString('en')} a second`}
        {left}
      </p>
    </>
  )
}

function Stop({ visit, run }: { readonly visit: Visit; readonly run: BulkRun }) {
  return (
    <form method="post" action={address(visit.site, ['tables', run.table, 'runs', run.id])}>
      <button type="submit" class="danger">
        Stop after this chunk
      </button>
    </form>
  )
}

function End({ run: { end, done } }: { readonly run: BulkRun }) {
  if (end?.error !== undefined)
    return (
      <Notice tone="bad" title="It could not go on">
        {end.error}. What was done before stays done.
      </Notice>
    )
  const refused: readonly RefusedJob[] = end?.result?.refused ?? []
  return (
    <>
      <Notice tone="good" title={`${countedJobs(end?.result?.length ?? 0)} ${done}`} />
      {refused.length > 0 && (
        <Notice tone="warn" title={`${countedJobs(refused.length)} refused by the table`}>
          {refused.slice(0, mostRefused).map(({ id, error }) => (
            <div>
              <code>{String(id)}</code> {error instanceof Error ? error.message : String(error)}
            </div>
          ))}
        </Notice>
      )}
    </>
  )
}

const countedJobs = (count: number) => (count === 1 ? '1 job was' : `${count.toLocaleString('en')} jobs were`)

/** Who stops a run leaves jobs as they were. */
function stageOf({ end, progress, isStopped }: BulkRun): string {
  if (end === undefined) return 'at work'
  if (end.error !== undefined) return 'failed'
  const isDone = progress === undefined ? !isStopped : progress.changed + progress.refused >= progress.total
  return isDone ? 'done' : 'stopped'
}
