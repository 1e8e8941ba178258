import { triggerFunctionBody, triggerStatements, updateCondition } from '../../migrate/job-triggers.js'
import { insertTriggerName, quoted, quotedName, type TableName, updateTriggerName } from '../../schema/names.js'
import type { TableFacts, TriggerDetails } from '../facts/table-facts.js'
import { callOf, listed, missingText, shown } from '../figures.js'
import { type Check, finding } from '../finding.js'
import { isSameCondition } from '../same-condition.js'

const namesOf = (table: TableName) => [insertTriggerName(table), updateTriggerName(table)] as const

const made = ({ table, version }: TableFacts) => ({
  sql: triggerStatements(table, version),
  migration: callOf('createJobTriggers', table),
})

const missing: Check<TableFacts> = (facts) => {
  const { table, triggers } = facts
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
  const off = triggers.filter(({ isEnabled }) => !isEnabled).map(({ name }) => name)
  if (off.length === 0) return undefined
  return finding(
    'disabled-trigger',
    {
      what: `${listed(off)} of ${shown(table)} ${off.length === 1 ? 'is' : 'are'} disabled.`,
      why: 'Workers that listen are not told of jobs, and find them by polling alone.',
      remedy: 'Enable them, where whatever they were disabled for is over.',
      sql: off.map((name) => `alter table ${quotedName(table)} enable trigger ${quoted(name)}`),
    },
    table,
  )
}

const old: Check<TableFacts> = (facts) => {
  const { table, triggers } = facts
  const differing = triggers.filter((trigger) => !isAsMade(table, trigger)).map(({ name }) => name)
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

/** pg_trigger.tgtype: after each INSERT statement; after the UPDATE of each row. */
const kinds = { insert: 4, update: 17 } as const

function isAsMade(table: TableName, trigger: TriggerDetails): boolean {
  const isOfInserts = trigger.name === insertTriggerName(table)
  const [, condition = ''] = / WHEN \((.*)\) EXECUTE /s.exec(trigger.definition) ?? []
  return (
    trigger.type === (isOfInserts ? kinds.insert : kinds.update) &&
    trigger.columns === 0 &&
    (trigger.newTable !== null) === isOfInserts &&
    isSameCondition(condition, isOfInserts ? '' : updateCondition) &&
    trigger.body === triggerFunctionBody(table) &&
    (trigger.settings ?? []).some((each) => each.startsWith('search_path=pg_catalog'))
  )
}

/** Of the triggers that tell workers of jobs. */
export const triggerChecks = [missing, disabled, old]
