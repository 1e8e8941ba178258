import type { Kysely } from 'kysely'
import { examine } from '../doctor/examine.js'
import type { Finding } from '../doctor/finding.js'
import { type ErrorGroup, errorGroups } from '../observe/error-groups.js'
import { reading } from '../observe/reading.js'
import type { JobDatabase } from '../schema/job-database.js'
import { quotedName } from '../schema/names.js'
import { ask, NoConnectionError } from '../worker/ask.js'
import { findingWarning, unexamined } from './found.js'
import type { ListedTable } from './options.js'
import { type SeenTable, seenTable } from './seen-table.js'
import type { Checked, CheckedTable } from './warning.js'

/** How often (milliseconds) it looks, as long as somebody looks at its pages, and how long it may take. */
const interval = 60_000
const longest = 60_000
/** What hangs would do so again: after so long its connection is taken for lost. */
const givenUp = 600_000
/** So long for the statement that reads errors. */
const statementLimit = 5_000

/**
 * What costs too much to be looked for by each page: what the doctor finds, and by what jobs fail. It is looked for in the background and by one
 * connection, once a minute for all who look. No page waits for it.
 */
export class Checkup {
  readonly #db: Kysely<JobDatabase>
  readonly #tables: readonly ListedTable[]
  #known: Checked | undefined
  #begunAt = Number.NEGATIVE_INFINITY
  #isLooking = false

  constructor(db: Kysely<JobDatabase>, tables: Iterable<ListedTable>) {
    this.#db = db
    this.#tables = [...tables]
  }

  /** What was found last, undefined before the first time; and looks again where that was long ago. */
  latest(): Checked | undefined {
    if (performance.now() - this.#begunAt >= (this.#isLooking ? givenUp : interval)) void this.#look()
    return this.#known
  }

  async #look(): Promise<void> {
    this.#isLooking = true
    this.#begunAt = performance.now()
    try {
      await ask(this.#db, longest, 'what the doctor asks', async (connection) => {
        try {
          this.#known = await check(connection, this.#tables)
        } finally {
          this.#isLooking = false
        }
      })
    } catch (error) {
      this.#known = { ofServer: [unexamined(error)], of: new Map() }
      if (error instanceof NoConnectionError) this.#isLooking = false // it was never asked
    }
  }
}

async function check(db: Kysely<JobDatabase>, tables: readonly ListedTable[]): Promise<Checked> {
  const seen = await viewable(db, tables)
  const findings = await examine(db, { tables: seen.map(({ listed }) => listed.name), pooling: false })
  const of = new Map<string, CheckedTable>()
  for (const table of seen) {
    const found = findings.filter(isOf(table)).map((finding) => findingWarning(finding, table))
    of.set(table.listed.name, { found, errors: await errorsOf(db, table) })
  }
  const ofServer = findings.filter(({ table }) => table === undefined)
  return { ofServer: ofServer.map((finding) => findingWarning(finding)), of }
}

/** But those that can't be shown: their pages say why, and what is to be hidden of them is not known. */
async function viewable(db: Kysely<JobDatabase>, tables: readonly ListedTable[]): Promise<SeenTable[]> {
  const seen: SeenTable[] = []
  for (const listed of tables) {
    const table = await seenTable(db, listed).catch(() => undefined)
    if (table !== undefined) seen.push(table)
  }
  return seen
}

function isOf({ view }: SeenTable): (finding: Finding) => boolean {
  const name = quotedName(view.places[0].table)
  return ({ table }) => table !== undefined && quotedName(table) === name
}

/** Where they can't be read their page says why. */
async function errorsOf(db: Kysely<JobDatabase>, { view, hidden }: SeenTable): Promise<readonly ErrorGroup[]> {
  if (hidden.includes('last_error')) return []
  const read = reading(db, statementLimit, (connection) => errorGroups(connection, view))
  return read.then(
    ({ groups }) => groups,
    () => [],
  )
}
