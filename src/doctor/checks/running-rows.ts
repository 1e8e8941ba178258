import { quotedName } from '../../schema/names.js'
import type { Running } from '../facts/row-facts.js'
import { counted, period, shown } from '../figures.js'
import { type Check, finding } from '../finding.js'
import { lookedAt } from '../limits.js'
import type { Worked } from './rows.js'

const jobs = (number: number) => counted(number, 'job', lookedAt)

/** A check of the rows that run, where these were looked at. */
const ofRunning =
  (check: (table: Worked['table'], running: Running) => ReturnType<Check<Worked>>): Check<Worked> =>
  ({ table, running }) =>
    running && check(table, running)

const expired = ofRunning((table, { expired: count, oldest }) =>
  count === 0
    ? undefined
    : finding(
        'expired-leases',
        {
          what: `${jobs(count)} of ${shown(table)} ${count === 1 ? 'is' : 'are'} running by workers that are gone; the oldest was renewed ${period((oldest ?? 0) / 1000)} ago.`,
          why: 'Nobody rescues them, so nobody works this table.',
          remedy: 'Start a worker for it: it rescues them. By hand: `rescue` of kysely-jobs/queue.',
        },
        table,
      ),
)

const unlocked = ofRunning((table, { unlocked: count }) =>
  count === 0
    ? undefined
    : finding(
        'running-unlocked',
        {
          what: `${jobs(count)} of ${shown(table)} ${count === 1 ? 'is' : 'are'} running with locked_by or locked_at null, as no worker writes it.`,
          why: "They run nowhere. A worker of kysely-jobs rescues them, as if theirs had died; IHP's workers never do.",
          remedy: 'Have them tried again.',
          sql: [
            `update ${quotedName(table)} set status = 'job_status_retry', locked_at = null, locked_by = null, run_at = now(), updated_at = now() where status = 'job_status_running' and (locked_by is null or locked_at is null)`,
          ],
        },
        table,
      ),
)

const leases = ofRunning((table, { leases: lengths }) =>
  lengths.length < 2
    ? undefined
    : finding(
        'leases-differ',
        {
          what: `Running jobs of ${shown(table)} have leases of ${lengths.map((each) => period(each / 1000)).join(', ')}.`,
          why: 'That is allowed; a job of the longest waits that long when its worker dies.',
          remedy: 'Where it is not meant: give all workers of the table the same lease.',
        },
        table,
      ),
)

/** Of jobs that run, as their rows say. */
export const runningChecks = [expired, unlocked, leases]
