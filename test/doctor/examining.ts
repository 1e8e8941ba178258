import pg from 'pg'
import type { Finding, FindingCode } from '../../src/doctor/finding.js'
import type { TestDatabase } from '../support/database.js'

/** The one finding of a code. */
export function found(findings: readonly Finding[], code: FindingCode): Finding {
  const [only, ...more] = findings.filter((each) => each.code === code)
  if (only === undefined || more.length > 0) {
    throw new Error(`There are ${more.length + (only ? 1 : 0)} ${code} among ${findings.map((each) => each.code)}`)
  }
  return only
}

/** Runs statements as psql does, each by itself, on a connection of its own. */
export async function paste({ url }: TestDatabase, statements: readonly string[] = []): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}
