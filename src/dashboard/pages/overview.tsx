import type { Kysely } from 'kysely'
import { type ObservedTable, observedTables } from '../../observe/observed-table.js'
import { overviewOf, type TableOverview } from '../../observe/overview.js'
import type { HistoryPoint } from '../../records/history.js'
import type { RunnerState } from '../../records/runners.js'
import type { JobDatabase } from '../../schema/job-database.js'
import { isLost } from '../lost-table.js'
import type { ListedTable } from '../options.js'
import { Activity, ranges } from '../parts/activity.js'
import { Figures } from '../parts/figures.js'
import { Head } from '../parts/head.js'
import { Empty } from '../parts/notice.js'
import type { Page, Visit } from '../parts/page.js'
import { Runners } from '../parts/runners.js'
import { type Told, Warnings } from '../parts/warnings.js'
import { readHistory, readRunners } from '../recorded.js'
import { address, seenTables } from '../site.js'
import { warningsOf } from '../warnings.js'

/** Whether all is well, why not, and what to do. */
export async function overviewPage(visit: Visit, db: Kysely<JobDatabase>): Promise<Page> {
  const { site, viewer, query } = visit
  const listedTables = seenTables(site, viewer)
  const range = ranges.find(({ name }) => name === query.get('range')) ?? ranges[0]
  const { tables, observed, lost } = await observable(db, listedTables)
  const overviews = await overviewOf(db, observed)
  const runners = await readRunners(db)
  const of = new Set(overviews.map(({ table }) => `${table.schema}.${table.name}`))
  const checked = site.checkup.latest()
  const ofServer = listedTables.length > 0 ? (checked?.ofServer ?? []) : []
  const told: Told[] = [...lost, ...ofServer.map((warning) => ({ listed: undefined, warning }))]
  const shown: Shown[] = []
  for (const [place, listed] of tables.entries()) {
    const overview = overviews[place]
    if (overview === undefined) continue
    const recent = await readHistory(db, overview.table, ranges[0])
    const points = range === ranges[0] ? recent : await readHistory(db, overview.table, range)
    shown.push({ listed, overview, points })
    const warnings = warningsOf({ overview, points: recent, checked: checked?.of.get(listed.name) })
    told.push(...warnings.map((warning) => ({ listed, warning })))
  }
  const main = (
    <>
      <Head title="Overview">
        <nav class="ranges" aria-label="Time of the charts">
          {ranges.map(({ name, text }) => (
            <a
              class="button"
              href={address(site, [], name === ranges[0].name ? [] : [['range', name]])}
              aria-current={name === range.name ? 'true' : undefined}
            >
              {text}
            </a>
          ))}
        </nav>
      </Head>
      <Warnings visit={visit} of={told} isChecking={checked === undefined && tables.length > 0} />
      {shown.map((each) => (
        <TableSheet visit={visit} shown={each} />
      ))}
      <Runners visit={visit} runners={runnersOf(runners, of)} />
    </>
  )
  // Where no script follows the page, it is loaded again to show what the doctor finds meanwhile.
  return { title: site.settings.title, main, ...(checked === undefined && { refresh: 3 }) }
}

/** One that is lost is told of, and takes none of the others away. */
async function observable(db: Kysely<JobDatabase>, listed: readonly ListedTable[]) {
  const [tables, observed, lost]: [ListedTable[], ObservedTable[], Told[]] = [[], [], []]
  for (const table of listed)
    try {
      observed.push(...(await observedTables(db, [table.name])))
      tables.push(table)
    } catch (error) {
      if (!isLost(error)) throw error
      const warning = { tone: 'bad', what: 'this table can not be looked at', remedy: `${error.message}.` } as const
      lost.push({ listed: table, warning })
    }
  return { tables, observed, lost }
}

interface Shown {
  readonly listed: ListedTable
  readonly overview: TableOverview
  /** Undefined: there is no history. */
  readonly points: readonly HistoryPoint[] | undefined
}

/** Their workers of tables that the viewer sees. */
function runnersOf(runners: readonly RunnerState[] | undefined, tables: ReadonlySet<string>) {
  return runners
    ?.map((runner) => ({
      ...runner,
      workers: runner.workers.filter(({ schema, table }) => tables.has(`${schema}.${table}`)),
    }))
    .filter(({ workers }) => workers.length > 0)
}

function TableSheet({ visit, shown }: { readonly visit: Visit; readonly shown: Shown }) {
  const { listed, overview, points } = shown
  return (
    <section class="sheet">
      <div class="title">
        <h2>
          <a href={address(visit.site, ['tables', listed.name])}>{listed.title}</a>
        </h2>
        {overview.paused && <span class="badge warn">Paused</span>}
        <Workers overview={overview} />
      </div>
      <Figures visit={visit} listed={listed} overview={overview} />
      {points === undefined ? (
        <Empty title="There is no history">
          A migration that calls createJobHistory(db) of kysely-jobs/migrate makes the table; runners write it.
        </Empty>
      ) : (
        <Activity points={points} />
      )}
    </section>
  )
}

function Workers({ overview: { workers } }: { readonly overview: TableOverview }) {
  if (workers === undefined) return null
  const [running, concurrency] = [
    workers.reduce((sum, { running }) => sum + running, 0),
    workers.reduce((sum, { concurrency }) => sum + concurrency, 0),
  ]
  return (
    <span class="quiet small">
      {workers.length} {workers.length === 1 ? 'worker' : 'workers'}, {running} of {concurrency} slots in use
    </span>
  )
}
