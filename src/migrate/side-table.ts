import { quotedName } from '../schema/names.js'
import { findSideTable, type SideTable, sideComment, sideFlaw } from '../schema/side-table.js'
import { execute, inTransaction, literal, type MigrationDatabase } from './migration-database.js'
import { schemaOfNew } from './target.js'

/** What is there under the name of a side table is another table. */
export class SideTableTakenError extends Error {
  override readonly name = 'SideTableTakenError'
  readonly code = 'SIDE_TABLE_TAKEN'
}

/**
 * Makes a side table, or brings it to this package's version. One that has lost its comment is taken for one of the first version.
 * @param steps the statements of each version, those of the first make the table, those of others may be run again; they are given its
 *   quoted name
 */
export async function createSideTable(
  db: MigrationDatabase,
  side: SideTable,
  steps: readonly ((name: string) => readonly string[])[],
): Promise<void> {
  await inTransaction(db, async (trx) => {
    const found = await findSideTable(trx, side)
    const table = found?.table ?? { schema: await schemaOfNew(trx, side.name), name: side.name }
    const name = quotedName(table)
    if (found?.isOurs === false) throw new SideTableTakenError(sideFlaw(found, side, 'write'))
    const present = found === undefined ? 0 : (found.version ?? 1)
    if (present >= side.version && found?.version !== undefined) return
    const plain = trx.withoutPlugins()
    for (const step of steps.slice(present)) for (const statement of step(name)) await execute(plain, statement)
    await execute(plain, `comment on table ${name} is ${literal(sideComment(side))}`)
  })
}

/** Drops it; what is not ours stays. @throws SideTableTakenError */
export async function dropSideTable(db: MigrationDatabase, side: SideTable): Promise<void> {
  await inTransaction(db, async (trx) => {
    const found = await findSideTable(trx, side)
    if (found === undefined) return
    if (!found.isOurs) throw new SideTableTakenError(sideFlaw(found, side, 'write'))
    await execute(trx.withoutPlugins(), `drop table ${quotedName(found.table)}`)
  })
}
