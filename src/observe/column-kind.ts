import type { CatalogColumn } from '../schema/catalog.js'

/** What a column holds, as far as filters and pages treat it alike. */
export type ColumnKind =
  | 'text'
  | 'number'
  | 'boolean'
  | 'enum'
  | 'timestamp'
  | 'date'
  | 'uuid'
  | 'json'
  | 'array'
  | 'bytes'
  | 'other'

const kinds: Readonly<Record<string, ColumnKind>> = {
  ...kindOfEach('text', ['text', 'varchar', 'bpchar', 'name', 'char', 'citext']),
  ...kindOfEach('number', ['int2', 'int4', 'int8', 'numeric', 'float4', 'float8']),
  ...kindOfEach('timestamp', ['timestamptz', 'timestamp']),
  ...kindOfEach('json', ['json', 'jsonb']),
  bool: 'boolean',
  date: 'date',
  uuid: 'uuid',
  bytea: 'bytes',
}

function kindOfEach(kind: ColumnKind, bases: readonly string[]): Record<string, ColumnKind> {
  return Object.fromEntries(bases.map((base) => [base, kind]))
}

/** By the type that its domain stands on, if it is of one. @param category pg_type.typcategory */
export function kindOf(
  { base, baseSchema, labels }: Pick<CatalogColumn, 'base' | 'baseSchema' | 'labels'>,
  category: string,
): ColumnKind {
  if (labels !== null) return 'enum'
  if (category === 'A') return 'array'
  const isKnown = baseSchema === 'pg_catalog' || base === 'citext' // an extension, in whatever schema
  return (isKnown && Object.hasOwn(kinds, base) && kinds[base]) || 'other'
}
