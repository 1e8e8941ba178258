import type { OneJob } from '../../observe/one-job.js'
import { verbsFor } from '../actions/verbs.js'
import type { SeenTable } from '../seen-table.js'
import { address } from '../site.js'
import { addressOfJob } from './job-address.js'
import type { Visit } from './page.js'

interface JobActionsOf {
  readonly visit: Visit
  readonly seen: SeenTable
  readonly job: OneJob
}

/** What can be done to one job. */
export function JobActions({ visit, seen, job }: JobActionsOf) {
  const { listed, whole } = seen
  const columns = new Set(whole.columns.map(({ name }) => name))
  const may = verbsFor(job.state, columns).filter(({ action }) => visit.viewer.may(action, listed.name))
  const bulk = address(visit.site, ['tables', listed.name, 'bulk'])
  return (
    <div class="actions">
      {may.length > 0 && (
        <form method="post" action={bulk} class="actions">
          <input type="hidden" name="id" value={job.id} />
          {may.map(({ action, label, isDangerous }) => (
            <button type="submit" name="verb" value={action} class={isDangerous ? 'danger' : undefined}>
              {label}…
            </button>
          ))}
        </form>
      )}
      {visit.viewer.may('edit', listed.name) && job.state !== 'running' && (
        <a class="button" href={addressOfJob(visit, seen, job, 'edit')}>
          Edit
        </a>
      )}
      {visit.viewer.may('duplicate', listed.name) && (
        <form method="post" action={addressOfJob(visit, seen, job, 'duplicate')}>
          <button type="submit">Enqueue a copy…</button>
        </form>
      )}
    </div>
  )
}
