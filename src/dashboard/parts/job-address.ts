import type { JobIdentity } from '../../observe/found-job.js'
import type { SeenTable } from '../seen-table.js'
import { address } from '../site.js'
import type { Visit } from './page.js'

/** The page of a job, or one below it: where its id does not tell it from others, its key goes along. */
export function addressOfJob({ site }: Visit, { listed }: SeenTable, job: JobIdentity, below?: string): string {
  const query: [string, string][] = []
  if (job.key !== null) query.push(['key', job.key])
  if (job.isArchived) query.push(['archive', '1'])
  return address(site, ['tables', listed.name, 'jobs', job.id, ...(below === undefined ? [] : [below])], query)
}
