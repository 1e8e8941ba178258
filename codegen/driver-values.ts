/**
 * What node-postgres makes of a value when nobody registered a parser of their own (pg-types 2, measured for
 * every type by the tests): a few types of pg_catalog become something else than text, all others stay text.
 */
const scalars: Readonly<Record<string, string>> = {
  bool: 'boolean',
  bytea: 'Buffer',
  circle: 'Circle',
  date: 'Timestamp',
  float4: 'number',
  float8: 'number',
  int2: 'number',
  int4: 'number',
  int8: 'Int8',
  interval: 'Interval',
  json: 'Json',
  jsonb: 'Json',
  numeric: 'Numeric',
  oid: 'number',
  point: 'Point',
  timestamp: 'Timestamp',
  timestamptz: 'Timestamp',
}

/** The types whose arrays become JavaScript arrays. Those of all others (enums, domains, ranges, name) stay text. */
const parsedInArrays: ReadonlySet<string> = new Set([
  ...['bool', 'bpchar', 'bytea', 'cidr', 'date', 'float4', 'float8', 'inet', 'int2', 'int4', 'int8', 'interval'],
  ...['json', 'jsonb', 'macaddr', 'money', 'numeric', 'numrange', 'oid', 'point', 'regproc', 'text', 'time'],
  ...['timestamp', 'timestamptz', 'timetz', 'uuid', 'varchar'],
])

/** The TypeScript type of a value of a type of pg_catalog. */
export function scalarType(name: string): string {
  return scalars[name] ?? 'string'
}

/** The TypeScript type of an array of a type of pg_catalog; undefined where the driver leaves it as text. */
export function parsedArrayType(name: string): string | undefined {
  if (!parsedInArrays.has(name)) return undefined
  if (name === 'numeric') return 'NumericArray' // one alone is read as text, those of an array as numbers
  const element = scalarType(name)
  return ['string', 'number', 'boolean', 'Buffer'].includes(element) ? `${element}[]` : `ArrayType<${element}>`
}
