import type { Catalog } from '../schema/catalog.js'
import { seedJobStatuses } from '../schema/inspect.js'
import { quotedName, type TableName } from '../schema/names.js'
import { jobStatuses } from '../schema/statuses.js'
import { catalogQuery, execute, literal, type MigrationDatabase } from './migration-database.js'

/** The enum's name is the seed's, so that IHP's tables and ours can share one. */
const typeName = 'job_status'

/** What the catalog says of an enum that we made: one that is the user's, or IHP's, is never dropped. */
const mark = 'The statuses of kysely-jobs'

/** A `job_status` that is there but can't hold every status. */
export class JobStatusTypeError extends Error {
  override readonly name = 'JobStatusTypeError'
  readonly code = 'WRONG_STATUS_TYPE'
}

/**
 * The enum for a table in a schema: the one that is there (in the schema, on the search_path or in `public`; IHP's
 * of six values too), else a new one.
 * @throws JobStatusTypeError
 */
export async function findOrCreateStatusType(db: MigrationDatabase, schema: string): Promise<TableName> {
  const own = { schema, name: typeName }
  const types = await statusTypes(db, schema)
  const complete = types.find((type) => type.lacking.length === 0)
  if (complete !== undefined) return { schema: complete.schema, name: typeName }
  const inTheWay = types.find((type) => type.schema === schema)
  if (inTheWay !== undefined) {
    throw new JobStatusTypeError(
      `The type ${quotedName(own)} is there but lacks ${inTheWay.lacking.join(', ')}: add the values (ALTER TYPE ... ADD VALUE) in a migration before this one, or take { status: 'text' }`,
    )
  }
  // Two migrations may make it at once: the second waits for the first to commit, and then finds it there.
  await guarded(
    db,
    `create type ${quotedName(own)} as enum (${jobStatuses.map(literal).join(', ')});
    comment on type ${quotedName(own)} is ${literal(mark)}`,
    'duplicate_object or unique_violation',
  )
  return own
}

/** Drops the enum behind the `status` of a table that was, if it is one of ours, unless something still uses it. */
export async function dropUnusedType(db: MigrationDatabase, { columns }: Catalog): Promise<void> {
  const status = columns.find((column) => column.name === 'status')
  if (status?.base !== typeName) return
  const type = quotedName({ schema: status.baseSchema, name: typeName })
  await guarded(
    db,
    `if pg_catalog.obj_description(${literal(type)}::pg_catalog.regtype, 'pg_type') = ${literal(mark)} then
      drop type ${type};
    end if`,
    'dependent_objects_still_exist or undefined_object or insufficient_privilege',
  )
}

/** Every `job_status` that a table of the schema could use, its own first. */
async function statusTypes(db: MigrationDatabase, schema: string) {
  const rows = await catalogQuery<{ schema: string; values: string }>(
    db,
    `select n.nspname as schema,
      (select pg_catalog.string_agg(e.enumlabel, ' ') from pg_catalog.pg_enum e where e.enumtypid = t.oid) as values
    from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    where t.typname = ${literal(typeName)} and t.typtype = 'e'
      and (n.nspname in (${literal(schema)}, 'public') or pg_catalog.pg_type_is_visible(t.oid))
    order by n.nspname = ${literal(schema)} desc, pg_catalog.pg_type_is_visible(t.oid) desc`,
  )
  return rows.map((row) => {
    const values = (row.values ?? '').split(' ')
    return { schema: row.schema, lacking: seedJobStatuses.filter((status) => !values.includes(status)) }
  })
}

/** A statement whose expected errors don't end the migration's transaction. */
async function guarded(db: MigrationDatabase, statement: string, expected: string): Promise<void> {
  await execute(db, `do ${literal(`begin ${statement}; exception when ${expected} then null; end`)}`)
}
