import { quotedName, type TableName } from '../../schema/names.js'
import type { Pending } from '../facts/row-facts.js'
import { counted, shown } from '../figures.js'
import { type Check, finding } from '../finding.js'
import { lookedAt } from '../limits.js'
import type { Worked } from './rows.js'

const jobs = (number: number) => counted(number, 'job', lookedAt)

/** A check of the rows that wait, where these were looked at. */
const ofPending =
  (check: (table: TableName, pending: Pending) => ReturnType<Check<Worked>>): Check<Worked> =>
  ({ table, pending }) =>
    pending && check(table, pending)

/** The rows that wait and are as a condition says. */
const update = (table: TableName, set: string, which: string) =>
  `update ${quotedName(table)} set ${set} where status in ('job_status_not_started', 'job_status_retry') and ${which}`

const locked = ofPending((table, { locked: count }) =>
  count === 0
    ? undefined
    : finding(
        'pending-locked',
        {
          what: `${jobs(count)} of ${shown(table)} ${count === 1 ? 'is' : 'are'} due and waiting, and locked by somebody who has not renewed it for a lease.`,
          why: "Manual SQL left them so. A worker of kysely-jobs takes them when the lease is over; IHP's workers never do.",
          remedy: 'Unlock them.',
          sql: [
            update(
              table,
              'locked_at = null, locked_by = null',
              `locked_by is not null and coalesce(locked_at not between now() - interval '1 minute' and now() + interval '1 minute', true)`,
            ),
          ],
        },
        table,
      ),
)

const never = ofPending((table, { infinite, undated }) => {
  const found = [
    ...(infinite === 0 ? [] : [`${jobs(infinite)} with a run_at of infinity`]),
    ...(undated === 0 ? [] : [`${jobs(undated)} without run_at`]),
  ]
  if (found.length === 0) return undefined
  return finding(
    'never-due',
    {
      what: `${shown(table)} has ${found.join(' and ')} that ${infinite + undated === 1 ? 'waits' : 'wait'}.`,
      why: 'They are never due.',
      remedy: 'Where they are not parked on purpose, give them a time.',
      sql: [update(table, 'run_at = now()', `(run_at = 'infinity' or run_at is null)`)],
    },
    table,
  )
})

const usedUp = ofPending((table, { usedUp: count }) =>
  count === 0
    ? undefined
    : finding(
        'attempts-used-up',
        {
          what: `${jobs(count)} of ${shown(table)} ${count === 1 ? 'waits' : 'wait'} with no attempt left by max_attempts.`,
          why: 'Each gets one more attempt, and is then failed for good.',
          remedy: 'Raise max_attempts where they are to have more, or set attempts_count to 0.',
        },
        table,
      ),
)

/** Of jobs that wait, as their rows say. */
export const pendingChecks = [locked, never, usedUp]
