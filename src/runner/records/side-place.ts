import type { Lookup } from '../../schema/identify.js'
import type { TableName } from '../../schema/names.js'
import { findSideTable, type SideTable, SideTableError, sideFlaw } from '../../schema/side-table.js'

/** Where a side table is. While it is missing, or does not serve, it is looked for again after a while, so that a migration or a grant needs no restart. */
export class SidePlace {
  readonly #side: SideTable
  readonly #lookInterval: number
  #table: TableName | undefined
  /** Monotonic milliseconds. */
  #nextLook = Number.NEGATIVE_INFINITY

  /** @param lookInterval milliseconds */
  constructor(side: SideTable, lookInterval: number) {
    this.#side = side
    this.#lookInterval = lookInterval
  }

  /**
   * @returns undefined: there is none, as far as is known
   * @throws SideTableError where it does not serve, each time that it is looked for
   */
  async find(db: Lookup): Promise<TableName | undefined> {
    if (this.#table !== undefined || performance.now() < this.#nextLook) return this.#table
    const found = await findSideTable(db, this.#side)
    this.#nextLook = performance.now() + this.#lookInterval
    const flaw = found && sideFlaw(found, this.#side, 'write')
    if (flaw !== undefined) throw new SideTableError('SIDE_TABLE_UNFIT', flaw)
    this.#table = found?.table
    return this.#table
  }

  /** It may have been dropped, or be another one. */
  forget(): void {
    this.#table = undefined
    this.#nextLook = performance.now() + this.#lookInterval
  }

  /** Whether there is anything to ask for: the table, or where it is. */
  get isWorthwhile(): boolean {
    return this.#table !== undefined || performance.now() >= this.#nextLook
  }
}
