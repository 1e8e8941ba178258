import type { RunnerState } from '../../records/runners.js'
import type { WorkerState } from '../../records/worker-state.js'
import { ColumnHeads } from './column-heads.js'
import { Empty } from './notice.js'
import type { Visit } from './page.js'
import { Span, When } from './when.js'

/** The processes that work, each with its workers. */
export function Runners({
  visit,
  runners,
}: {
  readonly visit: Visit
  readonly runners: readonly RunnerState[] | undefined
}) {
  return (
    <section class="sheet">
      <h2>Runners</h2>
      {runners === undefined ? (
        <Empty title="There is no table of runners">
          A migration that calls createJobRunners(db) of kysely-jobs/migrate makes the table; runners write it.
        </Empty>
      ) : runners.length === 0 ? (
        <Empty title="No runner works these tables">Start a program that calls createRunner(db, ...).run().</Empty>
      ) : (
        <div class="scroll">
          <table>
            <ColumnHeads
              of={['Process', 'Table', 'State', 'Slots in use', 'Lease', 'New jobs by', 'Last fetch', 'Started']}
              numbers={['Slots in use']}
            />
            <tbody>
              {runners.flatMap((runner) =>
                runner.workers.map((worker, place) => (
                  <WorkerRow visit={visit} runner={runner} worker={worker} isFirst={place === 0} />
                )),
              )}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

interface WorkerRowOf {
  readonly visit: Visit
  readonly runner: RunnerState
  readonly worker: WorkerState
  readonly isFirst: boolean
}

function WorkerRow({ visit: { now }, runner, worker, isFirst }: WorkerRowOf) {
  return (
    <tr>
      <th scope="row">
        {isFirst && (
          <>
            {runner.host} <span class="quiet">{runner.pid}</span>
            <div class="quiet small">
              kysely-jobs {runner.version}, Node {runner.nodeVersion}
            </div>
          </>
        )}
      </th>
      <td>
        {worker.table}
        {worker.keyed !== undefined && <div class="quiet small">{worker.keyed}</div>}
        {worker.where && <div class="quiet small">only jobs of a condition</div>}
      </td>
      <td>
        <WorkerBadge runner={runner} worker={worker} now={now} />
      </td>
      <td class="number">
        {worker.running} / {worker.concurrency}
      </td>
      <td>
        <Span of={worker.lease} />
        {worker.leaseMargin !== undefined && (
          <div class="quiet small">
            the oldest has <Span of={worker.leaseMargin} />
          </div>
        )}
      </td>
      <td>
        {worker.listener === 'listening' ? 'notification' : worker.listener === 'off' ? 'polling' : worker.listener}
        <div class="quiet small">
          polls every <Span of={worker.pollInterval} />
        </div>
      </td>
      <td>
        <When at={worker.lastFetch} now={now} />
      </td>
      <td>
        <When at={runner.startedAt} now={now} />
      </td>
    </tr>
  )
}

function WorkerBadge({ runner, worker, now }: Pick<WorkerRowOf, 'runner' | 'worker'> & { readonly now: Date }) {
  if (!runner.alive)
    return (
      <span class="badge bad">
        not seen since <When at={runner.seenAt} now={now} />
      </span>
    )
  if (worker.paused !== undefined) return <span class="badge warn">paused</span>
  return <span class={`badge ${worker.state === 'running' ? 'good' : ''}`}>{worker.state}</span>
}
