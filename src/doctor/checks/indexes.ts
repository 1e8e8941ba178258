import { indexStatement } from '../../migrate/job-indexes.js'
import { quotedName } from '../../schema/names.js'
import { isAsWanted, serves } from '../facts/serving.js'
import { type IndexDetails, indexOf, type TableFacts } from '../facts/table-facts.js'
import { callOf, figure, listed, missingText, shown } from '../figures.js'
import { type Check, type Finding, finding } from '../finding.js'

/** Of a partitioned table no index can be made concurrently. */
const concurrently = ({ catalog }: TableFacts) => (catalog.kind === 'p' ? '' : ' concurrently')

const dropped = (facts: TableFacts, name: string) =>
  `drop index${concurrently(facts)} if exists ${quotedName({ schema: facts.table.schema, name })}`

const call = (facts: TableFacts) =>
  callOf('createJobIndexes', facts.table, concurrently(facts) && ', { concurrently: true }')

const why = 'Claims, heartbeats or rescues read the table, and take longer with each job that it has ever had.'

const missing: Check<TableFacts> = (facts) => {
  const { table, catalog } = facts
  const absent = facts.wanted.filter((each) => !indexOf(facts, each[0]) && !serves(catalog.indexes, each))
  if (absent.length === 0) return undefined
  return finding(
    'missing-index',
    {
      what: missingText(
        'index',
        absent.map(([name]) => name),
        table,
      ),
      why,
      remedy: catalog.kind === 'p' ? 'Make them.' : 'Make them; the table stays usable while they are built.',
      sql: absent.map((each) => indexStatement(table, each, concurrently(facts), facts.engine)),
      migration: call(facts),
    },
    table,
  )
}

const wrong: Check<TableFacts> = (facts) => {
  const { table } = facts
  const differing = facts.wanted.filter((each) => {
    const found = indexOf(facts, each[0])
    return found?.valid && !isAsWanted(found, each)
  })
  if (differing.length === 0) return undefined
  return finding(
    'wrong-index',
    {
      what: `${listed(differing.map(([name]) => name))} of ${shown(table)} has other columns, or another condition, than its name stands for.`,
      why,
      remedy: 'Make them anew.',
      sql: differing.flatMap((each) => [
        dropped(facts, each[0]),
        indexStatement(table, each, concurrently(facts), facts.engine),
      ]),
    },
    table,
  )
}

/** What REINDEX CONCURRENTLY leaves behind where it fails. */
const leftover = /_cc(?:new|old)\d*$/
const unique = /^job_(?:unique|waiting|within)_/

const broken: Check<TableFacts> = (facts) =>
  facts.indexes.flatMap((details): Finding[] => {
    if (indexOf(facts, details.name)?.valid !== false || details.isBuilding) return []
    const { table, catalog } = facts
    const isLeft = leftover.test(details.name)
    const isForUnique = unique.test(details.name) && !isLeft
    const name = quotedName({ schema: table.schema, name: details.name })
    const wanted = facts.wanted.find(([each]) => each === details.name)
    const again = wanted && [
      dropped(facts, details.name),
      indexStatement(table, wanted, concurrently(facts), facts.engine),
    ]
    const rebuilt = catalog.kind === 'p' ? undefined : [`reindex index concurrently ${name}`]
    return [
      finding(
        isForUnique ? 'broken-unique-index' : 'broken-index',
        {
          what: `The index ${details.name} of ${shown(table)} is not valid: a CREATE INDEX or REINDEX CONCURRENTLY has failed.`,
          why: isForUnique
            ? 'enqueue with `unique` fails, and jobs may stand twice.'
            : 'No statement reads it, and each still writes it.',
          remedy: isLeft
            ? 'Drop it.'
            : isForUnique
              ? 'End all but one of the jobs that have the same values (cancelJobs), then build it anew.'
              : 'Build it anew.',
          sql: isLeft ? [dropped(facts, details.name)] : (again ?? rebuilt),
        },
        table,
      ),
    ]
  })

const ours = /^job_(?:ready|due|running|failed|finished|unique|waiting|within|key_waiting|key_running|key_line)_/

/** What each claim, heartbeat and end writes. */
const written = new Set(
  [
    'status',
    'attempts_count',
    'locked_at',
    'locked_by',
    'updated_at',
    'last_error',
    'started_at',
    'finished_at',
  ].concat(...['run_at', 'result', 'errors']),
)

const costly: Check<TableFacts> = (facts) =>
  facts.indexes.flatMap((details): Finding[] => {
    const { name, isUnique, isConstraint, uses, scans } = details
    const { table } = facts
    const index = indexOf(facts, name)
    if (!index?.valid || isUnique || isConstraint || ours.test(name) || servesAlone(facts, details)) return []
    const isOfHeartbeats = uses.includes('locked_at')
    const isWhole = index.predicate === null && uses.length > 0 && uses.every((column) => written.has(column))
    if (!isOfHeartbeats && !isWhole) return []
    return [
      finding(
        'costly-index',
        {
          what: `The index ${name} of ${shown(table)} is over ${listed(uses)}, which the queue writes${scans === null ? '' : `; it was read ${figure(scans)} times`}.`,
          why: isOfHeartbeats
            ? 'Each heartbeat writes it, and is no HOT update.'
            : 'Each claim and each end of a job writes it once more, and no statement of kysely-jobs reads it.',
          remedy:
            scans === 0
              ? 'Drop it, unless a query of yours needs it now and then.'
              : 'Drop it, or make it partial, where your own queries that read it can do without.',
          sql: scans === 0 ? [dropped(facts, name)] : undefined,
        },
        table,
      ),
    ]
  })

/** It does the work of one of ours. */
function servesAlone({ catalog, wanted }: TableFacts, { name }: IndexDetails): boolean {
  const itself = catalog.indexes.filter((index) => index.name === name)
  return wanted.some((each) => serves(itself, each))
}

/** Of the indexes of a job table. */
export const indexChecks = [missing, wrong, broken, costly]
