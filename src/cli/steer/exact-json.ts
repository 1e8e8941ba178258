/** A number as JSON has it, which JavaScript would make another of; what writes JSON leaves it so. */
interface RawNumber {
  readonly rawJSON: string
}

/** What `JSON` has besides since Node 21; the types of TypeScript don't know it yet. */
interface ExactJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
  rawJSON(text: string): RawNumber
  isRawJSON(value: unknown): value is RawNumber
}

const json = JSON as unknown as ExactJson // as just said

/** More digits than these are not exact in JavaScript. */
const safeDigits = 15

/** Reads JSON whose numbers are as large, and as precise, as whoever wrote it has meant. @throws SyntaxError */
export function parseExactly(text: string): unknown {
  if (!/\d{3}[eE]|\d[eE]\+?\d{3}|[\d.]{16}/.test(text)) return JSON.parse(text)
  return json.parse(text, (_, value, { source = '' }) => (isInexact(value, source) ? json.rawJSON(source) : value))
}

function isInexact(value: unknown, source: string): boolean {
  if (typeof value !== 'number' || String(value) === source) return false
  return !Number.isFinite(value) || source.replaceAll(/\D/g, '').length > safeDigits
}

/** A value of a column that is none of JSON: the number as it was written. */
export const plainValue = (value: unknown): unknown => (json.isRawJSON(value) ? value.rawJSON : value)
