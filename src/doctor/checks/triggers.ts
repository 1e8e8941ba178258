import { insertCondition, triggerFunctionBody, triggerStatements, updateCondition } from '../../migrate/job-triggers.js'
import { type InsertTrigger, insertTriggerOf } from '../../schema/engines/lacks.js'
import { insertTriggerName, quoted, quotedName, type TableName, updateTriggerName } from '../../schema/names.js'
import type { TableFacts, TriggerDetails } from '../facts/table-facts.js'
import { callOf, listed, missingText, shown } from '../figures.js'
import { type Check, finding } from '../finding.js'
import { isSameCondition } from '../same-condition.js'

const namesOf = (table: TableName) => [insertTriggerName(table), updateTriggerName(table)] as const

const made = ({ table, version, engine }: TableFacts) => ({
  sql: triggerStatements(table, version, insertTriggerOf(engine)),
  migration: callOf('createJobTriggers', table),
})

const missing: Check<TableFacts> = (facts) => {
  const { table, triggers, engine } = facts
  if (insertTriggerOf(engine) === 'none') return undefined // nobody would be told
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
  const { table, triggers, engine } = facts
  const form = insertTriggerOf(engine)
  const differing = triggers.filter((trigger) => !isAsMade(table, form, trigger)).map(({ name }) => name)
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

/** pg_trigger.tgtype: after each INSERT statement, after the INSERT of each row; after the UPDATE of each row. */
const inserts = { statement: 4, row: 5, none: undefined } as const
const update = 17

function isAsMade(table: TableName, form: InsertTrigger, trigger: TriggerDetails): boolean {
  const isOfInserts = trigger.name === insertTriggerName(table)
  const wanted = isOfInserts
    ? { type: inserts[form], seesRows: form === 'statement', condition: form === 'row' ? insertCondition : '' }
    : { type: update, seesRows: false, condition: updateCondition }
  const [, condition = ''] = / WHEN \((.*)\) EXECUTE /s.exec(trigger.definition) ?? []
  return (
    trigger.type === wanted.type &&
    trigger.columns === 0 &&
    (trigger.newTable !== null) === wanted.seesRows &&
    isSameCondition(condition, wanted.condition) &&
    trigger.body === triggerFunctionBody(table) &&
    (trigger.settings ?? []).some((each) => each.startsWith('search_path=pg_catalog'))
  )
}

/** Of the triggers that tell workers of jobs. */
export const triggerChecks = [missing, disabled, old]
