import { triggerStatements } from '../../migrate/job-triggers.js'
import { jobColumnNames } from '../../schema/columns.js'
import { flawsOf, heldStatuses, seedJobStatuses, zoneRemedy } from '../../schema/inspect.js'
import { quoted, quotedName, updateTriggerName } from '../../schema/names.js'
import { type TableFacts, toldOf } from '../facts/table-facts.js'
import { callOf, listed, literal, shown } from '../figures.js'
import { type Check, finding } from '../finding.js'

const mayBeNull = ['last_error', 'locked_at', 'locked_by'] as const

/** Statements for those flaws that can be mended without a decision. */
function mended(facts: TableFacts): string[] {
  const { table, catalog } = facts
  const alter = `alter table ${quotedName(table)} alter column`
  const strict = catalog.columns.filter(({ name, notNull }) => notNull && mayBeNull.some((each) => each === name))
  const short = catalog.columns.filter(
    ({ name, length }) => length !== null && length < (lengths[name] ?? 0) && name in lengths,
  )
  const priority = catalog.columns.find(({ name }) => name === 'priority')
  return [
    ...strict.map(({ name }) => `${alter} ${name} drop not null`),
    ...withoutTrigger(
      facts,
      short.map(({ name }) => `${alter} ${name} type text`),
    ),
    ...(priority?.notNull === false
      ? [
          `update ${quotedName(table)} set priority = 0 where priority is null`,
          `${alter} priority set default 0`,
          `${alter} priority set not null`,
        ]
      : []),
    ...lackingLabels(catalog).map((status) => addedLabel({ catalog }, status)),
  ]
}

/** Postgres changes the type of no column that the condition of a trigger names. */
function withoutTrigger(facts: TableFacts, statements: readonly string[]): readonly string[] {
  const { table, triggers, version } = facts
  const name = updateTriggerName(table)
  if (statements.length === 0 || !triggers.some((each) => each.name === name)) return statements
  return [
    `drop trigger ${quoted(name)} on ${quotedName(table)}`,
    ...statements,
    ...triggerStatements(toldOf(facts), version),
  ]
}

/** What the queue writes is as long as this, in characters. */
const lengths: Readonly<Record<string, number>> = {
  status: 22,
  locked_by: 36,
  last_error: Number.POSITIVE_INFINITY,
}

/** The statuses of every job table that an enum has not got. */
function lackingLabels(catalog: TableFacts['catalog']) {
  const labels = statusOf({ catalog })?.labels
  return labels ? seedJobStatuses.filter((status) => !labels.includes(status)) : []
}

const statusOf = ({ catalog }: Pick<TableFacts, 'catalog'>) => catalog.columns.find(({ name }) => name === 'status')

function addedLabel(facts: Pick<TableFacts, 'catalog'>, label: string): string {
  const { base = '', baseSchema = '' } = statusOf(facts) ?? {}
  return `alter type ${quotedName({ schema: baseSchema, name: base })} add value if not exists ${literal(label)}`
}

const flaws: Check<TableFacts> = (facts) => {
  const { table, catalog } = facts
  const found = flawsOf(catalog, table)
  if (found.length === 0) return undefined
  const isMissing = found.some((flaw) => flaw.endsWith('is missing'))
  const statements = mended(facts)
  return finding(
    'not-a-job-table',
    {
      what: `${shown(table)} can't hold jobs: ${found.join('; ')}.`,
      why: 'A worker refuses to start for it.',
      remedy: `Mend its columns in a migration${zoneRemedy(catalog, table)}.`,
      sql: statements.length === 0 ? undefined : statements,
      migration: isMissing ? callOf('addJobColumns', table) : undefined,
    },
    table,
  )
}

const nullable: Check<TableFacts> = ({ table, catalog }) => {
  const named = new Set<string>(jobColumnNames.filter((name) => !mayBeNull.some((each) => each === name)))
  const open = catalog.columns.filter(({ name, notNull }) => named.has(name) && !notNull).map(({ name }) => name)
  if (open.length === 0) return undefined
  const of = quotedName(table)
  return finding(
    'nullable-column',
    {
      what: `${listed(open)} of ${shown(table)} may be null.`,
      why: 'A job with null there is never due, never claimed, or never counted.',
      remedy:
        'Make them NOT NULL, after rows with null were given a value; a CHECK that is validated first keeps the lock short.',
      sql: open.flatMap((name) => {
        const constraint = quoted(`kysely_jobs_${name}_not_null`)
        return [
          `alter table ${of} add constraint ${constraint} check (${name} is not null) not valid`,
          `alter table ${of} validate constraint ${constraint}`,
          `alter table ${of} alter column ${name} set not null`,
          `alter table ${of} drop constraint ${constraint}`,
        ]
      }),
    },
    table,
  )
}

const cancelled: Check<TableFacts> = (facts) => {
  const { table, catalog } = facts
  if (heldStatuses(catalog).includes('job_status_cancelled')) return undefined
  const isEnum = statusOf(facts)?.labels !== null
  return finding(
    'no-cancelled-status',
    {
      what: `status of ${shown(table)} can't hold 'job_status_cancelled'.`,
      why: 'A job that is cancelled becomes failed, with a last_error that begins with "Cancelled:".',
      remedy: isEnum
        ? 'Add the value to the enum; programs that know six values alone must be taught the seventh first.'
        : 'Let the CHECK on status list it.',
      sql: isEnum ? [addedLabel(facts, 'job_status_cancelled')] : undefined,
    },
    table,
  )
}

/** Of the columns that the queue needs. */
export const columnChecks = [flaws, nullable, cancelled]
