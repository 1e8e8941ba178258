import { Kysely, PostgresDialect } from 'kysely'
import type pg from 'pg'
import { onTestFinished } from 'vitest'
import { quietPool } from '../support/database.js'

/** A handle to a server that answers some of its questions as another one would: each text of the first is asked as the second. @param sent is told of each statement */
export function posing<DB>(
  connectionString: string,
  answers: Readonly<Record<string, string>>,
  sent: (text: string) => void = () => {},
): Kysely<DB> {
  const pool = quietPool({ connectionString })
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...parameters: unknown[]) => unknown
    const asked = (text: unknown) =>
      typeof text === 'string'
        ? Object.entries(answers).reduce((asked, [question, other]) => asked.replaceAll(question, other), text)
        : text
    client.query = ((text: unknown, ...others: unknown[]) => {
      sent(String(text))
      return query(asked(text), ...others)
    }) as pg.Client['query']
  })
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(() => db.destroy())
  return db
}

/** As a server that says this sentence of itself. */
export const calling = (sentence: string): Record<string, string> => ({
  'pg_catalog.version()': `'${sentence}'::text`,
})
