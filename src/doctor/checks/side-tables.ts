import { quotedName } from '../../schema/names.js'
import { type FoundSideTable, type SideTable, sideComment, sideFlaw } from '../../schema/side-table.js'
import { literal } from '../figures.js'
import { type Check, finding } from '../finding.js'

/** A table of ours that is there. */
export interface Beside {
  readonly side: SideTable
  readonly found: FoundSideTable
}

const unfit: Check<Beside> = ({ side, found }) => {
  const flaw = sideFlaw(found, side, 'read')
  if (flaw === undefined) return undefined
  const isUncommented = found.isOurs && found.version === undefined
  return finding('side-table-unfit', {
    what: `${flaw}.`,
    why: `What needs it does not work: ${side.purpose}`,
    remedy: 'Mend it as that says.',
    // Of the first version there is one form alone: what has lost its comment is of it.
    sql:
      isUncommented && side.version === 1
        ? [`comment on table ${quotedName(found.table)} is ${literal(sideComment(side))}`]
        : undefined,
    migration: found.isOurs ? `await ${side.madeBy}(db)` : undefined,
  })
}

/** Of the tables beside job tables. */
export const sideTableChecks = [unfit]
