import { type RawBuilder, sql } from 'kysely'

/** Types of which equal values have several texts, which a session may write in its own way, or which have no equality. */
const severalTexts =
  /^(?:json|jsonb|xml|point|line|lseg|box|path|polygon|circle|tsvector|tsquery|interval|citext|bit(?: varying)?(?:\(\d+\))?|.*\[\]|(?:timestamp|time)(?:\(\d\))? with time zone)$/

/** Whether a column of this type, as the catalog writes it, can't be of a key that is kept. */
export const isUnfitForKeys = (type: string): boolean => severalTexts.test(type)

/** A value as the text by which keys are told: the same for equal values. */
export function textOfKey(value: RawBuilder<unknown>, type: string): RawBuilder<string> {
  if (/^numeric\b/.test(type)) return sql`pg_catalog.trim_scale(${value})::text`
  if (/^character\(|^bpchar\b/.test(type)) return sql`pg_catalog.rtrim((${value})::text)`
  return sql`pg_catalog.to_jsonb(${value}) #>> '{}'`
}
