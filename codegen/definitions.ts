/**
 * The types that a generated file defines for itself when its tables use them, by name and in its order. The names are those of
 * kysely-codegen. What can be written differs from what is read: an array given for json would be sent as an
 * array of Postgres, an object given for a point as JSON, so neither compiles.
 */
const definitions: Readonly<Record<string, string>> = {
  ArrayText: `/** An array that the driver leaves as text: it is read as '{a,b}', and written as that or as an array. */
export type ArrayText<T> = ColumnType<string, InsertType<T>[] | string, InsertType<T>[] | string>`,
  ArrayType: `export type ArrayType<T> = [T] extends [ColumnType<infer S, infer I, infer U>] ? ColumnType<S[], I[], U[]> : T[]`,
  Circle: `/** Written as text: '<(x,y),radius>'. */
export type Circle = ColumnType<{ x: number; y: number; radius: number }, string, string>`,
  Generated: `export type Generated<T> =
  T extends ColumnType<infer S, infer I, infer U> ? ColumnType<S, I | undefined, U> : ColumnType<T, T | undefined, T>`,
  GeneratedAlways: `/** Postgres makes the value and refuses any other. */
export type GeneratedAlways<T> = ColumnType<SelectType<T>, never, never>`,
  IPostgresInterval: `export interface IPostgresInterval {
  years?: number
  months?: number
  days?: number
  hours?: number
  minutes?: number
  seconds?: number
  milliseconds?: number
  toPostgres(): string
  toISO(): string
}`,
  Int8: `export type Int8 = ColumnType<string, string | number | bigint, string | number | bigint>`,
  Interval: `export type Interval = ColumnType<
  IPostgresInterval,
  IPostgresInterval | number | string,
  IPostgresInterval | number | string
>`,
  Json: `/** An array or a text is written as its JSON: \`JSON.stringify(value)\`. */
export type Json = ColumnType<JsonValue, JsonInput, JsonInput>`,
  JsonArray: `export type JsonArray = JsonValue[]`,
  JsonInput: `export type JsonInput = JsonObject | boolean | number | string`,
  JsonObject: `export type JsonObject = {
  [x: string]: JsonValue | undefined
}`,
  JsonPrimitive: `export type JsonPrimitive = boolean | null | number | string`,
  JsonValue: `export type JsonValue = JsonArray | JsonObject | JsonPrimitive`,
  NullFromBefore: `/** NOT NULL, but not validated: rows of before may hold null, and no new ones. */
export type NullFromBefore<T> = ColumnType<SelectType<T> | null, InsertType<T>, UpdateType<T>>`,
  Numeric: `export type Numeric = ColumnType<string, number | string, number | string>`,
  NumericArray: `/** Unlike one numeric, those of an array are read as numbers. */
export type NumericArray = ColumnType<number[], (number | string)[], (number | string)[]>`,
  Point: `/** Written as text: '(x,y)'. */
export type Point = ColumnType<{ x: number; y: number }, string, string>`,
  Timestamp: `export type Timestamp = ColumnType<Date, Date | string, Date | string>`,
}

/** What the definitions take from kysely. */
const importable = ['ColumnType', 'InsertType', 'SelectType', 'UpdateType']

/** Names that a table's or an enum's type must not take, for they mean something else in the file. */
export const reservedNames: readonly string[] = ['Buffer', 'DB', 'Date', ...importable, ...Object.keys(definitions)]

/** The import and the definitions that a file needs whose types use these words. */
export function preamble(words: ReadonlySet<string>): string[] {
  const texts = new Map(Object.entries(definitions))
  const used = new Set(words)
  for (const word of used) for (const each of wordsOf(texts.get(word) ?? '')) used.add(each) // and those in their turn
  const imported = importable.filter((name) => used.has(name))
  return [
    // Not an import: TypeScript resolves none of Node's modules where its types are not among `types`.
    ...(words.has('Buffer') ? ['/// <reference types="node" />'] : []),
    ...(imported.length > 0 ? [`import type { ${imported.join(', ')} } from 'kysely'`] : []),
    ...[...texts].flatMap(([name, text]) => (used.has(name) ? [text] : [])),
  ]
}

/** The words of a definition, without those of the comment above it. */
function wordsOf(definition: string): readonly string[] {
  return definition.replace(/^\/\*\*.*\*\/$/m, '').match(/\w+/g) ?? []
}
