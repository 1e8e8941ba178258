import { type Expression, type Kysely, sql } from 'kysely'
import { codeOf, sqlState } from '../pg/error-class.js'
import { CatalogError } from '../schema/catalog-error.js'
import type { TableName } from '../schema/names.js'
import { asText, textsOf } from '../schema/text.js'
import { DeadlineError } from '../watch/deadline.js'
import { shown } from './figures.js'
import { type Finding, finding } from './finding.js'

/** The database as the doctor asks it: past the user's plugins, tables by their real names. */
export type Examined = Kysely<unknown>

/** The value that an expression makes, as JSON. @param from the rest of the statement */
export async function readJson<Facts>(db: Examined, value: Expression<unknown>, from = sql``): Promise<Facts[]> {
  const { expression } = { expression: asText(value) }
  const texts = await textsOf(db, sql`select ${expression} ${from}`.compile(db))
  return texts.map((text) => JSON.parse(text ?? 'null') as Facts) // the expression makes the shape
}

/** What a server says that holds for one statement: not allowed, not there (any more), locked, too slow, not by a pooler, of a server behind it, corrupt. */
const ofStatement = /^(?:0A|08|25006|42501|42P01|55P03|57014|XX)/

/**
 * Reads facts, or finds that they may not be read: the other checks go on. A connection that is lost is nothing to go on with.
 * @param what of what is not examined
 */
export async function readOr<Facts>(
  notes: Finding[],
  what: string,
  read: () => Promise<Facts>,
  table?: TableName,
): Promise<Facts | undefined> {
  try {
    return await read()
  } catch (error) {
    const isTold = error instanceof DeadlineError || error instanceof CatalogError
    if (!isTold && !ofStatement.test(sqlState(error) ?? '')) throw error
    notes.push(notExamined(what, error, table))
    return undefined
  }
}

function notExamined(what: string, error: unknown, table?: TableName): Finding {
  const message = error instanceof Error ? error.message : String(error)
  const of = table === undefined ? '' : ` of ${shown(table)}`
  return finding(
    'not-examined',
    {
      what: `${what}${of} could not be examined: ${message} (${codeOf(error)})`,
      why: 'What is wrong there is not told.',
      remedy:
        'Examine once more as a role that may read it (the owner of the tables, with pg_monitor), when no lock is held on it and its servers answer.',
    },
    table,
  )
}
