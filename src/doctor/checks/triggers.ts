import {
  insertCondition,
  type ToldTable,
  triggerFunctionBody,
  triggerStatements,
  updateCondition,
} from '../../migrate/job-triggers.js'
import { insertTriggerName, quoted, quotedName, type TableName, updateTriggerName } from '../../schema/names.js'
import { type TableFacts, type TriggerDetails, toldOf } from '../facts/table-facts.js'
import { callOf, listed, missingText, shown } from '../figures.js'
import { type Check, finding } from '../finding.js'
import { isSameCondition } from '../same-condition.js'

const namesOf = (table: TableName) => [insertTriggerName(table), updateTriggerName(table)] as const

const made = (facts: TableFacts) => ({
  sql: triggerStatements(toldOf(facts), facts.version),
  migration: callOf('createJobTriggers', facts.table),
})

const missing: Check<TableFacts> = (facts) => {
  const { table, triggers } = facts
  if (toldOf(facts).form === 'none') return undefined // nobody would be told
  const lacking = namesOf(table).filter((name) => !triggers.some((each) => each.name === name))
  if (lacking.length === 0) return undefined
  const areAll = lacking.length === 2
  return finding(
    areAll ? 'no-triggers' : 'missing-trigger',
    {
      what: missingText('trigger', lacking, table),
      why: 'Workers that listen are not told of jobs, and find them by polling alone.',
      remedy: areAll
        ? "Make them; or leave it so, where it was made with notify: 'none' and whoever enqueues calls notifyWorkers."
        : 'Make it anew.',
      ...made(facts),
    },
    table,
  )
}

const disabled: Check<TableFacts> = ({ table, triggers }) => {
  const off = triggers.flatMap(({ name, offIn }) => offIn.map((of) => ({ name, of })))
  if (off.length === 0) return undefined
  return finding(
    'disabled-trigger',
    {
      what: `${listed(off.map(({ name, of }) => `${name} of ${shown(of)}`))} ${off.length === 1 ? 'is' : 'are'} disabled.`,
      why: 'Workers that listen are not told of jobs, and find them by polling alone.',
      remedy: 'Enable them, where whatever they were disabled for is over.',
      sql: off.map(({ name, of }) => `alter table ${quotedName(of)} enable trigger ${quoted(name)}`),
    },
    table,
  )
}

const old: Check<TableFacts> = (facts) => {
  const { table, triggers } = facts
  const differing = triggers.filter((trigger) => !isAsMade(toldOf(facts), trigger)).map(({ name }) => name)
  if (differing.length === 0) return undefined
  return finding(
    'old-trigger',
    {
      what: `${listed(differing)} of ${shown(table)} is not what createJobTriggers makes: of an earlier version, of IHP, or changed by hand.`,
      why: 'Workers may be woken for each row, or for nothing, or hold up a commit when the queue of notifications is full.',
      remedy: 'Replace both, and their function.',
      ...made(facts),
    },
    table,
  )
}

/** pg_trigger.tgtype: after each INSERT statement, or after the INSERT of each row; after the UPDATE of each row. */
const kinds = { insert: 4, insertOfRow: 5, update: 17 } as const

function isAsMade(told: ToldTable, trigger: TriggerDetails): boolean {
  const isOfInserts = trigger.name === insertTriggerName(told.table)
  const wanted = isOfInserts ? insertCondition(told) : updateCondition
  const ofInserts = wanted === undefined ? kinds.insert : kinds.insertOfRow
  const [, condition = ''] = / WHEN \((.*)\) EXECUTE /s.exec(trigger.definition) ?? []
  return (
    trigger.type === (isOfInserts ? ofInserts : kinds.update) &&
    trigger.columns === 0 &&
    (trigger.newTable !== null) === (wanted === undefined) &&
    isSameCondition(condition, wanted ?? '') &&
    trigger.body === triggerFunctionBody(told) &&
    (trigger.settings ?? []).some((each) => each.startsWith('search_path=pg_catalog'))
  )
}

/** Of the triggers that tell workers of jobs. */
export const triggerChecks = [missing, disabled, old]
