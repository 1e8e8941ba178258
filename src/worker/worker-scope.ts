import type { Kysely } from 'kysely'
import { inspectJobTable } from '../schema/inspect.js'
import { jobsOf, realJobsOf } from '../schema/job-database.js'
import type { FirstSight } from './first-look.js'
import { KnownTable } from './known-table.js'
import type { Settings } from './options.js'
import { PassedOver } from './passed-over.js'
import { processShare } from './process-share.js'
import type { WorkerScope } from './scope.js'

/** What a worker brings to its scope. */
export interface ScopeParts<DB>
  extends Pick<WorkerScope, 'worker' | 'pauses' | 'tally' | 'observer' | 'hears' | 'tell' | 'report'> {
  readonly db: Kysely<DB>
  /** The table as the user writes it. */
  readonly name: string
  readonly settings: Settings
}

/** What all parts of a worker know: what it brings, and what it has seen of its table. */
export function scopeOf<DB>({ db, name, report, ...own }: ScopeParts<DB>, sight: FirstSight): WorkerScope {
  const { description, connections, kept, pauseReader } = sight
  const { table } = description
  const { settings, pauses } = own
  const look = () => inspectJobTable(db, name, settings.engine)
  const known = new KnownTable(settings, description, { look, report })
  const { backoff, lease, seedBackoff, select, where } = settings
  const [userJobs, jobs] = [jobsOf(db, name, description), realJobsOf(db, table, description)]
  const forAll = {
    ...{ lease, select, where, aging: settings.priorityAging },
    retryBackoff: seedBackoff && typeof backoff === 'object' ? backoff : undefined,
  }
  return {
    ...own,
    pauseReader,
    share: processShare(db),
    userJobs,
    jobs,
    claimedJobs: where === undefined ? jobs : userJobs,
    table,
    get columns() {
      return known.columns
    },
    get finished() {
      return known.finished
    },
    get archive() {
      return known.archive
    },
    get claim() {
      return { ...forAll, columns: known.columns, except: this.passedOver.rows, paused: pauses.keys }
    },
    passedOver: new PassedOver(lease),
    connections,
    engine: description.home.engine,
    kept,
    freedValues: jobs.distributedBy === undefined ? undefined : new Set(),
    seedStatuses: !description.holdsCancelled,
    saw: (row) => known.saw(row),
    snapshots: { conflictedAt: undefined },
    refusals: { seen: false },
    failed: (error) => known.failed(error),
    report: (error, doing) => {
      if (known.mayHaveMoved(error)) void known.explained(error).then((what) => what && report(what, doing))
      else report(error, doing)
      void known.failed(error)
      pauseReader.suspect(error)
    },
  }
}
