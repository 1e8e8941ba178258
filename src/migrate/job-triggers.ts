import { isPartitioned } from '../schema/catalog.js'
import { type InsertTrigger, insertTriggerOf } from '../schema/engines/lacks.js'
import {
  channelName,
  fullQueue,
  functionName,
  insertTriggerName,
  quoted,
  quotedName,
  type TableName,
  updateTriggerName,
} from '../schema/names.js'
import { pendingStatuses } from '../schema/statuses.js'
import { earliestInserted, isEarliestInserted } from './inserted-rows.js'
import { execute, literal, type MigrationDatabase, serverVersion } from './migration-database.js'
import { checkOptions, type EngineChoice, JobTableOptionError } from './options.js'
import { changeTable, type Target } from './target.js'

const pending = pendingStatuses.map(literal).join(', ')

/**
 * Makes the triggers that tell workers of new and retried jobs, under the seed's names: `did_insert_job_<table>`
 * and `did_update_job_<table>`, the function `notify_job_queued_<table>`, the channel `job_available_<table>`.
 * Those that are there, IHP's too, are replaced. The payload is the milliseconds until the earliest job is due. Where the engine has no
 * triggers of statements that see their rows, the insert's is one of rows. Those of a partitioned table are also in its partitions, in
 * later ones as well.
 *
 * @example await createJobTriggers(db, 'orders')
 * @throws JobTableOptionError where the engine has no triggers, or nobody would hear them; JobTableNameError, NoSuchTableError
 */
export async function createJobTriggers(
  db: MigrationDatabase,
  name: string,
  options: EngineChoice = {},
): Promise<void> {
  checkOptions(options, { engine: [] })
  await changeTable(db, name, createTriggers, options.engine)
}

export async function createTriggers({ db, table, catalog, engine }: Target): Promise<void> {
  const form = insertTriggerOf(engine, isPartitioned(catalog))
  if (form === 'none') {
    const what = engine.listen ? 'triggers for it' : 'LISTEN, so nobody would hear them'
    throw new JobTableOptionError(
      `${quotedName(table)} is on ${engine.name}, which has no ${what}: leave the triggers out (notify: 'none'), and workers find jobs by polling`,
    )
  }
  for (const statement of triggerStatements({ table, form }, await serverVersion(db))) await execute(db, statement)
}

/** A table whose jobs are told of. */
export interface ToldTable {
  readonly table: TableName
  readonly form: InsertTrigger
}

/** The statements that make or replace them, on a server of a version as `180004` of 18.4. */
export function triggerStatements(told: ToldTable, version: number): string[] {
  const { table, form } = told
  if (form === 'none') return []
  // Replaced where the server can: DROP TRIGGER would ask for a lock that stops every reader of the table.
  const replace = version >= 140_000
  const made = triggers(told).flatMap(([trigger, when]) => {
    const on = `${quoted(trigger)} after ${when} execute function ${functionOf(table)}()`
    return [...(replace ? [] : [dropTrigger(trigger, table)]), `create ${replace ? 'or replace ' : ''}trigger ${on}`]
  })
  return [createFunction(told), ...made]
}

/**
 * Drops both triggers and their function. @throws JobTableNameError, NoSuchTableError
 * @example await dropJobTriggers(db, 'orders')
 */
export async function dropJobTriggers(db: MigrationDatabase, name: string): Promise<void> {
  await changeTable(db, name, async ({ db: plain, table, engine }) => {
    const names = engine.triggers === 'none' ? [] : [insertTriggerName(table), updateTriggerName(table)]
    for (const trigger of names) await execute(plain, dropTrigger(trigger, table))
    await dropFunction(plain, table)
  })
}

/** Drops the function of triggers that are gone with their table. */
export async function dropFunction(db: MigrationDatabase, table: TableName): Promise<void> {
  await execute(db, `drop function if exists ${functionOf(table)}()`)
}

/** Which updates are told. */
export const updateCondition = `
    new.status in (${pending}) and new.locked_by is null and
    (old.status not in (${pending}) or old.locked_by is not null or new.run_at < old.run_at)`

/** Which inserts are told, where that is asked of each row; undefined: of each statement. */
export function insertCondition({ table, form }: ToldTable): string | undefined {
  if (form === 'statement') return undefined
  const isEarliest = form === 'earliest row' ? ` and ${isEarliestInserted(table)}` : ''
  return `
    new.status in (${pending}) and new.locked_by is null${isEarliest}`
}

/** Each trigger's name, and what fires it. */
function triggers(told: ToldTable): [name: string, when: string][] {
  const { table } = told
  const condition = insertCondition(told)
  // One notification per statement: inserting 100k rows costs 1.00 to 1.03 of no trigger, per row 1.28 to 1.52.
  const eachRow = condition && `for each row when (${condition})`
  const inserted = `insert on ${quotedName(table)} ${eachRow ?? 'referencing new table as new_rows for each statement'}`
  // Per row, but only for a row that becomes claimable, or claimable earlier: no claim and no success pays for it.
  const updated = `update on ${quotedName(table)} for each row when (${updateCondition})`
  return [
    [insertTriggerName(table), inserted],
    [updateTriggerName(table), updated],
  ]
}

/**
 * The search_path is pinned, and every name found through it is the catalog's, whoever inserts. Due as of this very
 * moment: by the transaction's now(), a retry without a delay would lie in the future, and a delay given deep in a long
 * transaction would be told too long. Not where the server's queue is nearly full: the commit would fail, the job's with it.
 */
export function triggerFunctionBody({ table, form }: ToldTable): string {
  const ofStatement = `
    select min(run_at) into due from new_rows where status in (${pending}) and locked_by is null;`
  return `
declare
  due timestamptz;
begin
  if ${form === 'earliest row' ? `tg_op = 'INSERT' then${earliestInserted(table)}` : `tg_level = 'STATEMENT' then${ofStatement}`}
  else
    due := new.run_at;
  end if;
  if due < 'infinity' and pg_notification_queue_usage() < ${fullQueue} then
    perform pg_notify(${literal(channelName(table))}, case
      when due <= clock_timestamp() then '0'
      else ceil(extract(epoch from due - clock_timestamp()) * 1000)::bigint::text
    end);
  end if;
  return null;
end`
}

function createFunction(told: ToldTable): string {
  return `create or replace function ${functionOf(told.table)}() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as ${literal(triggerFunctionBody(told))}`
}

function functionOf(table: TableName): string {
  return quotedName({ schema: table.schema, name: functionName(table) })
}

function dropTrigger(trigger: string, table: TableName): string {
  return `drop trigger if exists ${quoted(trigger)} on ${quotedName(table)}`
}
