import { quoted, quotedName } from '../../schema/names.js'
import { type FoundSideTable, type SideTable, sideComment, sideFlaw } from '../../schema/side-table.js'
import { literal } from '../figures.js'
import { type Check, finding } from '../finding.js'

/** A table of ours that is there. */
export interface Beside {
  readonly side: SideTable
  readonly found: FoundSideTable
  /** Who asks. */
  readonly role: string
}

const unfit: Check<Beside> = ({ side, found, role }) => {
  const flaw = sideFlaw(found, side, 'read')
  if (flaw === undefined) return undefined
  const isUncommented = found.isOurs && found.version === undefined
  const isOnlyHidden = sideFlaw({ ...found, mayRead: true }, side, 'read') === undefined
  return finding('side-table-unfit', {
    what: `${flaw}.`,
    why: `What needs it does not work: ${side.purpose}`,
    remedy: 'Mend it as that says.',
    sql: isOnlyHidden
      ? [`grant select on ${quotedName(found.table)} to ${quoted(role)}`]
      : isUncommented
        ? commented({ side, found })
        : undefined,
    migration: found.isOurs && !isOnlyHidden ? `await ${side.madeBy}(db)` : undefined,
  })
}

/** Of the first version there is one form alone: what has lost its comment is of it. */
function commented({ side, found }: Pick<Beside, 'side' | 'found'>): string[] | undefined {
  if (side.version > 1) return undefined
  return [`comment on table ${quotedName(found.table)} is ${literal(sideComment(side))}`]
}

/** Of the tables beside job tables. */
export const sideTableChecks = [unfit]
