/** Gives the very object that it is given, so that a private field is added to it. */
class Same {
  constructor(row: object) {
    // biome-ignore lint/correctness/noConstructorReturn: that is what it is for
    return row
  }
}

/** A row on which a text is hidden: no key, no copy and no log shows it. (A WeakMap takes four times as long, a symbol twice.) */
class Hiding extends Same {
  readonly #text: string

  constructor(row: object, text: string) {
    super(row)
    this.#text = text
  }

  static textOf(row: object): string | undefined {
    return #text in row ? row.#text : undefined
  }
}

/**
 * Rows without the text that `returnedOf` has made for us alone; it is hidden on them. Parts between commas, each of which
 * may be empty:
 * - the claim: 16 hexadecimal digits of `run_at`, 16 of `locked_at`, 2 of the last byte of `locked_by`
 * - `max_attempts`
 * - `priority`; where jobs gain levels as they wait, also `;` and the level that it had reached
 * - the row's key, which may hold commas
 *
 * @param names of its column, as it may come back
 */
export function hidingOwn(rows: readonly object[], names: readonly string[]): object[] {
  const first = rows[0] ?? {}
  // a plugin may call it otherwise, or put more behind it
  const name = names.find((each) => Object.hasOwn(first, each)) ?? Object.keys(first).at(-1) ?? ''
  return rows.map((row) => {
    const { [name]: text, ...columns } = row as Record<string, unknown> // a row has columns
    return new Hiding(columns, String(text))
  })
}

/** What is hidden on a row under a column's name; undefined where nothing is. */
export function hiddenValue(row: object, name: string): Date | number | undefined {
  const read = readers[name]
  const text = read && Hiding.textOf(row)
  return text === undefined ? undefined : read?.(text)
}

/**
 * Milliseconds from `run_at` to `locked_at`, where both are hidden on a row; null where they are not, undefined where one is infinite. It is
 * asked of each job that ends: two dates would take twice as long.
 */
export function hiddenWait(row: object): number | undefined | null {
  const text = Hiding.textOf(row)
  if (text === undefined || !isClaimed(text)) return null
  if (text.slice(0, 8) === text.slice(16, 24))
    // within the same 71 minutes
    return (Number.parseInt(text.slice(24, 32), 16) - Number.parseInt(text.slice(8, 16), 16)) / 1000
  const [due, claimed] = [dateAt(text, 0), dateAt(text, 16)]
  return due && claimed && claimed.getTime() - due.getTime()
}

const readers: Readonly<Record<string, (text: string) => Date | number | undefined>> = {
  run_at: (text) => dateAt(text, 0),
  locked_at: (text) => dateAt(text, 16),
  max_attempts: (text) => numberIn(text, 1),
  priority: (text) => numberIn(text, 2),
}

/** The last digit of the token by which a row was claimed. */
export function hiddenMark(row: object): string | undefined {
  const text = Hiding.textOf(row)
  return text === undefined || !isClaimed(text) ? undefined : text[33]
}

/** The level that a job had reached when it was claimed. */
export function hiddenLevel(row: object): number {
  const text = Hiding.textOf(row) ?? ''
  return Number(text.slice(text.indexOf(';') + 1, startOf(3, text) - 1))
}

/** What tells a row from all others where its id does not. */
export function hiddenKey(row: object): string | undefined {
  const text = Hiding.textOf(row)
  return text === undefined ? undefined : text.slice(startOf(3, text)) || undefined
}

const isClaimed = (text: string): boolean => !text.startsWith(',')

function numberIn(text: string, place: number): number | undefined {
  const part = text.slice(startOf(place, text), startOf(place + 1, text) - 1)
  const number = Number.parseFloat(part) // of `5;7` the 5
  return Number.isNaN(number) ? undefined : number
}

/** Where the part at a place (from 0) begins, without the garbage of a split: each claimed row is asked. */
function startOf(place: number, text: string): number {
  let start = 0
  for (let n = 0; n < place; n++) {
    const comma = text.indexOf(',', start)
    if (comma < 0) return text.length + 1
    start = comma + 1
  }
  return start
}

/** Postgres counts microseconds from here. */
const year2000 = Date.UTC(2000, 0)

/** Undefined for infinity, which is no date. */
function dateAt(text: string, at: number): Date | undefined {
  if (!isClaimed(text)) return undefined
  const high = Number.parseInt(text.slice(at, at + 8), 16) | 0 // it has the sign
  const microseconds = high * 2 ** 32 + Number.parseInt(text.slice(at + 8, at + 16), 16)
  const date = new Date(year2000 + Math.floor(microseconds / 1000))
  return Number.isNaN(date.getTime()) ? undefined : date
}
