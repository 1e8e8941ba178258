import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { FilterError, shownValue } from './filter-error.js'

/** So much of the first line of an error counts. */
const lineLength = 300
const messageLength = 200

/**
 * What differs from one error to the next of the same kind, and what stands for it. Of texts in quotes an apostrophe within a word is
 * none; of what looks like a hexadecimal number only that is one which has a digit and eight places.
 */
const placeholders: readonly (readonly [pattern: string, placeholder: string])[] = [
  [String.raw`\m[a-z][a-z0-9+.-]*://[^\s"'<>)]+`, '<url>'],
  [String.raw`[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+`, '<email>'],
  [String.raw`\m[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\M`, '<uuid>'],
  [String.raw`"[^"]*"|\x60[^\x60]*\x60|(?<![a-z0-9])'[^']*'(?![a-z0-9])`, '<text>'],
  [String.raw`(?<![a-z0-9<])(?:[a-z]:\\|\.{0,2}/)[^\s:,;()<>]+`, '<path>'],
  [String.raw`\m\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?`, '<date>'],
  [String.raw`\m(?:0x[0-9a-f]+|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,})\M`, '<hex>'],
  [String.raw`\d+(?:[.,]\d+)*`, '<n>'],
  [String.raw`\s+`, ' '],
]

/** The first line of a job's last error. By a collation that every database has: that of the column may know no parts of texts. */
export const firstLine = (length = lineLength): RawBuilder<string> =>
  sql`pg_catalog.left(pg_catalog.split_part(pg_catalog.left(job.last_error collate "C", 2000), E'\\n', 1), ${sql.lit(length)})`

/** The same, with placeholders for what is each job's own: so errors of a kind are the same. */
export function messageOf(line: RawBuilder<string>): RawBuilder<string> {
  const replaced = placeholders.reduce(
    (text, [pattern, placeholder]) => sql<string>`pg_catalog.regexp_replace(${text}, ${pattern}, ${placeholder}, 'gi')`,
    line,
  )
  return sql`pg_catalog.left(pg_catalog.btrim(${replaced}), ${sql.lit(messageLength)})`
}

/** A line with all digits alike, which is quickly done: its message is the same, as no digit is unlike another in what is replaced. */
export const withoutDigits = (line: RawBuilder<string>): RawBuilder<string> =>
  sql`pg_catalog.translate(${line}, '123456789', '000000000')`

/** By which such errors are known, in an address too. */
export const fingerprintOf = (message: RawBuilder<string>): RawBuilder<string> =>
  sql`pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(${message}, 'UTF8')), 'hex'), 16)`

/** Whether a job's last error is of such a kind, under the name `job`. @throws FilterError where that is no fingerprint */
export function isOfKind(fingerprint: string): RawBuilder<SqlBool> {
  if (!/^[0-9a-f]{16}$/.test(fingerprint)) {
    throw new FilterError(`${shownValue(fingerprint)} is no fingerprint of errors: it has 16 hexadecimal digits`)
  }
  return sql`coalesce(${fingerprintOf(messageOf(firstLine()))} = ${fingerprint}, false)`
}
