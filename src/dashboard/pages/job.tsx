import type { Child } from 'hono/jsx'
import type { Kysely } from 'kysely'
import type { Cell } from '../../observe/found-job.js'
import { type OneJob, oneJob } from '../../observe/one-job.js'
import type { ViewColumn } from '../../observe/view.js'
import { pausesToRead } from '../../queue/pauses.js'
import type { RunnerState } from '../../records/runners.js'
import type { JobDatabase } from '../../schema/job-database.js'
import { camelCase } from '../../schema/row.js'
import { Missing, tableFor } from '../answers.js'
import type { ListedTable } from '../options.js'
import { Cell as CellText } from '../parts/cell.js'
import { Head } from '../parts/head.js'
import { JobActions } from '../parts/job-actions.js'
import { JsonTree } from '../parts/json-tree.js'
import type { Page, Params, Visit } from '../parts/page.js'
import { pauseOf } from '../parts/paused.js'
import { StateBadge } from '../parts/states.js'
import { ErrorText, Timeline } from '../parts/timeline.js'
import { Span, When } from '../parts/when.js'
import { readRunners } from '../recorded.js'
import { type SeenTable, seenTable } from '../seen-table.js'
import { address } from '../site.js'

/** All of one job. */
export async function jobPage(visit: Visit, db: Kysely<JobDatabase>, { table: name, id = '' }: Params): Promise<Page> {
  const listed = tableFor(visit, name)
  const seen = await seenTable(db, listed)
  const job = await oneJob(db, seen.view, wantedJob(visit, id))
  if (job === undefined) throw new Missing('job')
  const runners = job.worker === null ? [] : ((await readRunners(db)) ?? [])
  const pause = pauseOf(job, (await pausesToRead(db, listed.name)) ?? [])
  const main = (
    <>
      <Head title={`Job ${id}`} crumbs={[{ text: listed.title, href: address(visit.site, ['tables', listed.name]) }]}>
        <div class="row">
          <StateBadge state={job.state} />
          {pause !== undefined && (
            <a class="badge warn" href={address(visit.site, ['tables', listed.name, 'steering'])}>
              paused{pause.reason === undefined ? '' : `: ${pause.reason}`}
            </a>
          )}
          {job.isArchived && <span class="badge">in the archive</span>}
          <OwnPage seen={seen} job={job} />
        </div>
      </Head>
      <JobActions visit={visit} seen={seen} job={job} />
      <div class="halves">
        <OwnColumns seen={seen} job={job} />
        <div class="stack">
          <QueueColumns visit={visit} seen={seen} job={job} runners={runners} />
          <section class="sheet">
            <h2>Timeline</h2>
            <div class="padded">
              <Timeline of={shownTimeline(seen, job)} now={visit.now} />
            </div>
          </section>
        </div>
      </div>
    </>
  )
  return { title: `Job ${id}`, main }
}

/** Which job an address means. */
export function wantedJob({ query }: Visit, id: string) {
  const key = query.get('key') ?? undefined
  return { id, key, ...(query.get('archive') === '1' && { isArchived: true }) }
}

interface JobOf {
  readonly seen: SeenTable
  readonly job: OneJob
}

/** A page of the host's about it. */
function OwnPage({ seen: { listed, view }, job }: JobOf) {
  const values = Object.fromEntries(
    view.columns.flatMap(({ name }) => {
      const text = job.values.get(name)?.text ?? null
      return [
        [name, text],
        [camelCase(name), text],
      ]
    }),
  )
  const href = linkOf(listed, values)
  if (href === undefined || !isOfTheWeb(href)) return null
  return (
    <a class="button" href={href}>
      Open in the app ↗
    </a>
  )
}

/** A link that can't be made is none, and the page is there all the same. */
function linkOf({ name, link }: ListedTable, values: Readonly<Record<string, string | null>>): string | undefined {
  try {
    return link?.(values)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    process.emitWarning(`tables.${name}.link threw: ${text}`, 'DashboardWarning')
    return undefined
  }
}

/** An address of the web or of this site: `javascript:` would run, and browsers take `/\\` for `//`, another site. */
const isOfTheWeb = (href: string): boolean =>
  /^https?:\/\//.test(href) || (href.startsWith('/') && !/^\/[\t\n\r]*[/\\]/.test(href))

function shownTimeline({ hidden }: SeenTable, { timeline }: OneJob) {
  if (!hidden.includes('last_error') && !hidden.includes('errors')) return timeline
  return timeline.map(({ error: _, ...happening }) => happening)
}

function OwnColumns({ seen, job }: JobOf) {
  const own = seen.view.columns.filter(({ isOfQueue }) => !isOfQueue)
  const result = seen.view.columns.filter(({ name }) => name === 'result' && job.values.get(name)?.text != null)
  return (
    <section class="sheet">
      <h2>Columns</h2>
      <dl class="facts padded">
        {[...own, ...result].map((column) => (
          <>
            <dt>
              {column.name}
              <div class="small">{column.type}</div>
            </dt>
            <dd>
              <Value column={column} cell={job.values.get(column.name)} />
            </dd>
          </>
        ))}
        {seen.hidden.map((name) => (
          <>
            <dt>{name}</dt>
            <dd class="quiet">hidden</dd>
          </>
        ))}
      </dl>
    </section>
  )
}

function Value({ column, cell }: { readonly column: ViewColumn; readonly cell: Cell | undefined }) {
  if (cell === undefined || cell.text === null) return <span class="quiet">null</span>
  if (column.kind === 'json') return <JsonTree text={cell.text} isCut={cell.isCut} />
  if (cell.text.length > 300 || cell.text.includes('\n'))
    return (
      <pre>
        {cell.text.slice(0, 20_000)}
        {(cell.isCut || cell.text.length > 20_000) && '…'}
      </pre>
    )
  return <CellText of={cell} />
}

type Fact = readonly [word: string, value: Child]

/** Its process, where a runner tells of it. */
function WorkerName({ id, runners }: { readonly id: string; readonly runners: readonly RunnerState[] }) {
  const runner = runners.find(({ workers }) => workers.some((worker) => worker.id === id))
  if (runner === undefined) return <span class="mono">{id}</span>
  return (
    <>
      {runner.host} <span class="quiet">{runner.pid}</span>
      <div class="quiet small mono">{id}</div>
    </>
  )
}

interface QueueColumnsOf extends JobOf {
  readonly visit: Visit
  readonly runners: readonly RunnerState[]
}

function QueueColumns({ visit: { now }, seen: { hidden }, job, runners }: QueueColumnsOf) {
  const between = (from: string | null, to: string | null) =>
    from === null || to === null ? null : Math.max(0, Date.parse(to) - Date.parse(from))
  const error = job.values.get('last_error')?.text
  const facts: Fact[] = [
    ['Enqueued', <When at={job.createdAt} now={now} />],
    ['Due', job.runAt === 'infinity' ? 'never' : <When at={job.runAt} now={now} />],
    ['Attempts', job.maxAttempts === null ? job.attempts : `${job.attempts} of ${job.maxAttempts}`],
    ['Priority', job.priority ?? undefined],
    ['Waited', job.startedAt === null ? undefined : <Span of={between(job.runAt, job.startedAt)} />],
    ['Ran', job.finishedAt === null ? undefined : <Span of={between(job.startedAt, job.finishedAt)} />],
    ['Changed', <When at={job.updatedAt} now={now} />],
    ['Worker', job.worker === null ? undefined : <WorkerName id={job.worker} runners={runners} />],
    ['Interrupted', job.interruptions === 0 ? undefined : `${job.interruptions} times`],
  ]
  return (
    <section class="sheet">
      <h2>State</h2>
      <dl class="facts padded">
        {facts
          .filter(([, value]) => value !== undefined)
          .map(([word, value]) => (
            <>
              <dt>{word}</dt>
              <dd>{value}</dd>
            </>
          ))}
        {error != null && !hidden.includes('last_error') && (
          <>
            <dt>{job.state === 'succeeded' ? 'Last error, before it succeeded' : 'Last error'}</dt>
            <dd>
              <ErrorText text={error} isOver={job.state === 'succeeded'} />
            </dd>
          </>
        )}
      </dl>
    </section>
  )
}
