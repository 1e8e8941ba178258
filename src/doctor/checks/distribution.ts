import { quotedName } from '../../schema/names.js'
import { pendingStatuses } from '../../schema/statuses.js'
import type { TableFacts } from '../facts/table-facts.js'
import { callOf, literal, shown } from '../figures.js'
import { type Check, finding } from '../finding.js'

const reference: Check<TableFacts> = ({ table, placement }) => {
  if (placement.kind !== 'every node') return undefined
  return finding(
    'reference-table',
    {
      what: `${shown(table)} is a reference table, of which each node has all rows.`,
      why: 'No worker starts for it, as each claim would be written on all nodes.',
      remedy:
        'Take it back to the coordinator; from there it may go to a node of its own, or be distributed by a column.',
      sql: [`select undistribute_table(${literal(quotedName(table))})`],
    },
    table,
  )
}

/** The column by which a table is distributed. */
const columnOf = ({ placement, catalog }: TableFacts) =>
  placement.kind === 'distributed' ? catalog.columns.find(({ name }) => name === placement.by) : undefined

const byBoolean: Check<TableFacts> = (facts) => {
  const { table } = facts
  const column = columnOf(facts)
  if (column?.base !== 'bool') return undefined
  return finding(
    'distributed-by-boolean',
    {
      what: `${shown(table)} is distributed by ${column.name}, a boolean, by which Citus finds no node.`,
      why: 'No worker starts for it.',
      remedy: 'Make the table anew, distributed by another column or by a bucket (createJobTable with distributeBy).',
    },
    table,
  )
}

/** Workers go from value to value of a distributed table, and claim by one at a time. */
const ofValues: Check<TableFacts> = (facts) => {
  const { table, catalog } = facts
  const by = columnOf(facts)?.name
  const isThere = catalog.indexes.some(
    ({ valid, names, predicate }) =>
      valid && names[0] === by && pendingStatuses.every((status) => predicate?.includes(`'${status}'`)),
  )
  if (by === undefined || isThere) return undefined
  return finding(
    'missing-index',
    {
      what: `The index of ${shown(table)} is missing by which jobs of one ${by} are found, in the order in which they are due.`,
      why: 'Each claim, which is of one value of that column, reads all of its jobs.',
      remedy: 'Make it.',
      migration: callOf('createKeyIndexes', table, `, [${literal(by)}], { concurrently: true }`),
    },
    table,
  )
}

/** Of where the rows of a table are. */
export const distributionChecks = [reference, byBoolean, ofValues]
