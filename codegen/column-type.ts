import type { CatalogType, Column } from './catalog.js'
import { parsedArrayType, scalarType } from './driver-values.js'

/** What a column's type is made of. */
export interface KnownTypes {
  readonly types: ReadonlyMap<number, CatalogType>
  /** The type name of an enum. */
  readonly nameOf: (type: CatalogType) => string
}

/** The TypeScript type of a column: what selecting it gives, what inserting and updating take. */
export function columnType(column: Column, isView: boolean, known: KnownTypes): string {
  const type = typeOf(column.type, known)
  // A view may show null in a column whose domain refuses it: an outer join does not ask the domain.
  const isNotNull = column.isNotNull || (!isView && refusesNull(type, known))
  const value = valueType(type, known, column.dimensions)
  if (column.refusesNull && !isNotNull) return optional(column, type, `NullFromBefore<${value}>`)
  const read = isNotNull ? value : `${value} | null`
  if (column.isAlwaysGenerated) return `GeneratedAlways<${read}>`
  return optional(column, type, read)
}

function optional(column: Column, type: CatalogType, value: string): string {
  return column.hasDefault || column.isIdentity || type.hasDefault ? `Generated<${value}>` : value
}

function refusesNull(type: CatalogType, known: KnownTypes): boolean {
  return type.kind === 'd' && (type.isNotNull || refusesNull(typeOf(type.base, known), known))
}

/** The driver is told the type under a domain, so a domain is read as that; an enum is text. */
function valueType(type: CatalogType, known: KnownTypes, dimensions = 1): string {
  if (type.kind === 'd') return valueType(typeOf(type.base, known), known, type.dimensions)
  if (type.kind === 'e') return known.nameOf(type)
  const element = elementOf(type, known)
  if (element !== undefined) return arrayType(element, known, dimensions)
  return type.schema === 'pg_catalog' ? scalarType(type.name) : 'string'
}

/** An array of a domain is, to the driver, an array of an unknown type: it stays text, as that of an enum. */
function arrayType(element: CatalogType, known: KnownTypes, dimensions: number): string {
  const parsed = element.schema === 'pg_catalog' ? parsedArrayType(element.name) : undefined
  if (parsed !== undefined) return nested(parsed, dimensions)
  // The driver writes arrays with commas, and one in another as a second dimension: these are written as text.
  if (element.delimiter !== ',' || isArray(element, known)) return 'string'
  return `ArrayText<${valueType(element, known)}${'[]'.repeat(Math.max(0, dimensions - 1))}>`
}

/** Postgres checks no dimensions, but who declared `int[][]` keeps arrays of arrays in it. */
function nested(array: string, dimensions: number): string {
  if (dimensions <= 1) return array
  return nested(array.endsWith('[]') ? `${array}[]` : `ArrayType<${array}>`, dimensions - 1)
}

function isArray(type: CatalogType, known: KnownTypes): boolean {
  return type.kind === 'd' ? isArray(typeOf(type.base, known), known) : elementOf(type, known) !== undefined
}

/** What an array holds; undefined for all else (a point can be indexed too, yet is no array of numbers). */
function elementOf(type: CatalogType, { types }: KnownTypes): CatalogType | undefined {
  const element = types.get(type.element)
  return element?.array === type.oid ? element : undefined
}

function typeOf(oid: number, { types }: KnownTypes): CatalogType {
  const type = types.get(oid)
  if (type === undefined) throw new Error(`The tables changed while they were read: type ${oid} is gone. Try again`)
  return type
}
