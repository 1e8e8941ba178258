import type { Kysely } from 'kysely'
import type { JobDatabase } from '../schema/job-database.js'
import type { Viewer } from './access.js'
import type { BulkRuns } from './actions/runs.js'
import type { Checkup } from './checkup.js'
import type { ListedTable, Settings } from './options.js'

/** A dashboard as its pages know it. */
export interface Site {
  readonly db: Kysely<JobDatabase>
  readonly settings: Settings
  readonly runs: BulkRuns
  readonly checkup: Checkup
}

/** The address of a page, with what is asked of it. Each part of the path is a text of its own. */
export function address(
  site: Site,
  path: readonly string[],
  query: readonly (readonly [string, string])[] = [],
): string {
  const text = new URLSearchParams(query.map(([name, value]): [string, string] => [name, value])).toString()
  return `${site.settings.basePath}/${path.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`
}

/** The tables that a viewer sees. */
export function seenTables({ settings }: Site, viewer: Viewer): ListedTable[] {
  return [...settings.tables.values()].filter(({ name }) => viewer.may('view', name))
}
