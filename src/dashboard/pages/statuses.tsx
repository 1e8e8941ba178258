import { type JobStatus, jobStatuses } from '../../schema/statuses.js'
import { ColumnHeads } from '../parts/column-heads.js'
import { Head } from '../parts/head.js'
import type { Page } from '../parts/page.js'
import { StatusBadge } from '../parts/status.js'

/** What each status means, and what brings a job there and away. */
export async function statusesPage(): Promise<Page> {
  const main = (
    <>
      <Head title="What each status means" />
      <section class="sheet">
        <div class="scroll">
          <table class="stacked">
            <ColumnHeads of={['Status', 'Meaning', 'What comes next']} />
            <tbody>
              {jobStatuses.map((status) => (
                <tr>
                  <th scope="row">
                    <StatusBadge status={status} />
                    <div class="quiet small mono">{status}</div>
                  </th>
                  <td>{meanings[status].meaning}</td>
                  <td>{meanings[status].next}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
      <section class="sheet">
        <h2>Other words</h2>
        <dl class="facts padded">
          {words.map(([word, meaning]) => (
            <>
              <dt>{word}</dt>
              <dd>{meaning}</dd>
            </>
          ))}
        </dl>
      </section>
    </>
  )
  return { title: 'Statuses', main, live: false }
}

interface Meaning {
  readonly meaning: string
  readonly next: string
}

const meanings: Readonly<Record<JobStatus, Meaning>> = {
  job_status_not_started: {
    meaning:
      'Enqueued, and no attempt has begun. It is scheduled while its run_at is in the future, and due from then on.',
    next: 'A worker claims it when it is due. Cancel ends it.',
  },
  job_status_running: {
    meaning: 'A worker has claimed it and holds its lease; its handler runs, or is about to.',
    next: 'The outcome of the attempt. If the worker dies, its lease runs out and another worker takes the job over.',
  },
  job_status_retry: {
    meaning: 'An attempt failed, or put it off, and another follows at run_at. The last error says why.',
    next: 'A worker claims it when it is due. Run now makes it due at once; cancel ends it.',
  },
  job_status_succeeded: {
    meaning: 'Its handler returned.',
    next: 'Nothing. Retry runs it again from the first attempt.',
  },
  job_status_failed: {
    meaning: 'Its last attempt failed, or its handler threw a FatalError.',
    next: 'Nothing by itself. Retry runs it again from the first attempt.',
  },
  job_status_timed_out: {
    meaning: 'Its last attempt ran longer than the timeout of its worker.',
    next: 'Nothing by itself. Retry runs it again from the first attempt.',
  },
  job_status_cancelled: {
    meaning: 'Somebody, or its own handler, ended it on purpose. The last error says why.',
    next: 'Nothing by itself. Retry runs it again.',
  },
}

const words: readonly (readonly [string, string])[] = [
  ['Due', 'Waits for nothing but a worker: its run_at has come.'],
  ['Scheduled', 'Waits for its run_at, and has not failed before.'],
  ['Retrying', 'Has failed, and waits for the time of its next attempt; from then on it is due.'],
  ['Attempt', 'One run of the handler. A job fails for good when it has had as many as its worker allows.'],
  ['Lease', 'How long a claim holds without a sign of life. Workers renew the leases of what they run.'],
  ['Wait', 'From when a job was due until its handler began.'],
  ['Run time', 'From when its handler began until the outcome was decided.'],
  ['Archive', 'A second table, for jobs that have ended; lists show both, and say which.'],
]
