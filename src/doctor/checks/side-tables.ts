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

/** What each is for. */
const uses: Readonly<Record<string, string>> = {
  job_schedules: 'recurring jobs',
  job_limits: 'limits of single keys, and rates',
  job_pauses: 'pauses of tables and keys',
  job_runners: 'the list of runners',
  job_history: 'the history of jobs, and its charts',
}

const unfit: Check<Beside> = ({ side, found, role }) => {
  const flaw = sideFlaw(found, side, 'read')
  if (flaw === undefined) return undefined
  const colon = flaw.lastIndexOf(': ')
  const [what, remedy] = [flaw.slice(0, colon), flaw.slice(colon + 2)]
  const isUncommented = found.isOurs && found.version === undefined
  const isOnlyHidden = sideFlaw({ ...found, mayRead: true }, side, 'read') === undefined
  return finding('side-table-unfit', {
    what: `${what}.`,
    why: `Until it is mended these do not work: ${uses[side.name] ?? side.name}.`,
    remedy: `${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}.`,
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
