import { quotedName, type TableName } from '../schema/names.js'

/** A number for people; with `bound` that counting stopped there. */
export function figure(number: number, bound = Number.POSITIVE_INFINITY): string {
  const text = number.toLocaleString('en')
  return number >= bound ? `${text} or more` : text
}

/** `3 jobs`, `1 job`. */
export function counted(number: number, noun: string, bound?: number): string {
  return `${figure(number, bound)} ${noun}${number === 1 ? '' : 's'}`
}

const units = [
  ['day', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const

/** A length of time, in its largest unit. */
export function period(seconds: number): string {
  const [unit, length] = units.find(([, each]) => seconds >= 2 * each) ?? (['s', 1] as const)
  const number = Math.round(seconds / length)
  return `${figure(number)} ${unit}${unit === 'day' && number !== 1 ? 's' : ''}`
}

/** A size in its largest unit. */
export function size(bytes: number): string {
  const megabytes = bytes / 2 ** 20
  return megabytes >= 2048 ? `${(megabytes / 1024).toFixed(1)} GB` : `${figure(Math.round(megabytes))} MB`
}

/** `a, b and c`. */
export function listed(texts: readonly string[]): string {
  return new Intl.ListFormat('en').format(texts)
}

/** A text in SQL, as psql takes it whatever its settings are. */
export function literal(text: string): string {
  const doubled = text.replaceAll("'", "''")
  return doubled.includes('\\') ? `E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`
}

/** A call of kysely-jobs/migrate for a table, as it stands in a migration. */
export function callOf(name: string, { schema, name: table }: TableName, more = ''): string {
  const text = schema === 'public' ? table : `${schema}.${table}`
  return `await ${name}(db, '${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'${more})`
}

/** A table in a sentence. */
export function shown(table: TableName): string {
  return table.schema === 'public' && /^[a-z_][a-z0-9_$]*$/.test(table.name) ? table.name : quotedName(table)
}

/** What a table lacks. Names of ours have the table's in them, but not its schema's. */
export function missingText(noun: 'index' | 'trigger', names: readonly string[], table: TableName): string {
  const of = shown(table) === table.name ? '' : ` of ${shown(table)}`
  if (names.length === 1) return `The ${noun} ${listed(names)}${of} is missing.`
  return `The ${noun === 'index' ? 'indexes' : 'triggers'} ${listed(names)}${of} are missing.`
}
