import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'

/**
 * Whether a text has another in it, or begins with it, in whatever case. By position, not by LIKE: no character of it stands for others.
 * By collations that every database has: that of a column may know no parts of texts.
 */
export function containing(text: Expression<unknown>, part: string, atStart = false): RawBuilder<SqlBool> {
  const plain = (each: Expression<unknown>) => sql`pg_catalog.lower(${each} collate pg_catalog."default") collate "C"`
  const position = sql`pg_catalog.strpos(${plain(text)}, ${plain(sql`${part}::text`)})`
  return atStart ? sql`${position} = 1` : sql`${position} > 0`
}
