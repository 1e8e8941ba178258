import type { Placement } from '../../schema/engine.js'
import { archiveName, keepArchiveName, quoted, quotedName, type TableName } from '../../schema/names.js'
import type { ArchiveFacts } from '../facts/archive-facts.js'
import { callOf, counted, literal, period, shown } from '../figures.js'
import { type Check, finding } from '../finding.js'
import { lookedAt } from '../limits.js'

/** An archive, and how many jobs are in the partition for what has no other. */
export interface Kept extends ArchiveFacts {
  readonly misplaced: number | undefined
  readonly role: string
  /** Where the job table is. */
  readonly placement: Placement
}

const functionOf = ({ schema, name }: TableName) =>
  `${quotedName({ schema, name: keepArchiveName({ schema, name }) })}()`

/** The partitions that are there are the work of a function, which does what is due. */
const kept = (table: TableName) => ({
  sql: [`select ${functionOf(table)}`],
  migration: callOf('keepJobArchive', table),
})

const nameOf = (table: TableName) => shown({ schema: table.schema, name: archiveName(table) })

const unfit: Check<Kept> = ({ archive: { of, flaw } }) =>
  flaw === undefined
    ? undefined
    : finding(
        'archive-unfit',
        {
          what: `No job can be moved to the archive: ${flaw}.`,
          why: "Workers with finished: 'archive' or succeeded: 'archive' refuse to start.",
          remedy: 'Mend what is said of it, and start the workers anew.',
          migration: callOf('createJobArchive', of),
        },
        of,
      )

const partitions: Check<Kept> = ({ archive: { of }, hasToday, left }) => {
  if (hasToday) return undefined
  const ended = left === null ? 'it has none' : `the last ended ${period(-left)} ago`
  return finding(
    'archive-partitions',
    {
      what: `${nameOf(of)} has no partition for what ends now (${ended}).`,
      why: 'Jobs go to its default partition, and are dropped with none: they are deleted row by row.',
      remedy: 'Let a runner, or pg_cron, call the function that makes partitions ahead.',
      ...kept(of),
    },
    of,
  )
}

const misplaced: Check<Kept> = ({ archive: { of }, misplaced: count }) =>
  count === undefined || count === 0
    ? undefined
    : finding(
        'archive-misplaced',
        {
          what: `${counted(count, 'job', lookedAt)} ${count === 1 ? 'is' : 'are'} in the default partition of ${nameOf(of)}.`,
          why: 'They ended while there was no partition for them; more than 10,000 of a partition stay there until they are old.',
          remedy: 'Have the partitions made: up to 10,000 jobs of each are moved to it.',
          ...kept(of),
        },
        of,
      )

const notKept: Check<Kept> = ({ archive: { of, mayKeep }, role }) =>
  mayKeep
    ? undefined
    : finding(
        'archive-not-kept',
        {
          what: `The role ${role} may not have partitions of ${nameOf(of)} made and dropped.`,
          why: 'Where no other runner, nor pg_cron, does so, there is none for tomorrow.',
          remedy: 'Grant it to the role of one runner at least.',
          sql: [`grant execute on function ${functionOf(of)} to ${quoted(role)}`],
        },
        of,
      )

/** Jobs go to an archive in one statement, which one server runs. */
const elsewhere: Check<Kept> = ({ archive: { of }, placement }) => {
  if (placement.kind !== 'distributed') return undefined
  return finding(
    'archive-unfit',
    {
      what: `No job is moved to ${nameOf(of)}, as ${shown(of)} is distributed over nodes.`,
      why: "Workers with finished: 'archive' or succeeded: 'archive' refuse to start; what is in it can be looked at.",
      remedy: 'Keep or delete what has ended (succeeded, pruneJobs), or take the table back to the coordinator.',
      sql: [`select undistribute_table(${literal(quotedName(of))})`],
    },
    of,
  )
}

const gathered: Check<Kept> = (kept) =>
  kept.placement.kind === 'distributed'
    ? undefined
    : [unfit, partitions, misplaced, notKept].flatMap((check) => check(kept) ?? [])

/** Of the archive of a job table. */
export const archiveChecks = [elsewhere, gathered]
