import { shown } from './shown.js'

/** A length of time: milliseconds, or a number with a unit: `'250ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. */
export type Duration = Spelled['duration']

/** By way of a property the type has no name of its own, so that the compiler prints what it takes. */
interface Spelled {
  duration: number | `${number}${Unit}` | `${number} ${Unit}`
}

type Unit = keyof typeof unitMilliseconds

const unitMilliseconds = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A million days, some 2,700 years: so far from now in either direction Postgres still has dates. */
const longest = 1_000_000 * unitMilliseconds.d

/** An invalid duration. */
export class DurationError extends RangeError {
  override readonly name = 'DurationError'
  readonly code = 'INVALID_DURATION'
}

/**
 * Milliseconds of a duration.
 * @param name what the duration is for, as the error names it
 * @throws DurationError for anything negative, endless (more than a million days), or in an unknown unit
 */
export function milliseconds(duration: Duration, name: string): number {
  const value = typeof duration === 'string' ? parse(duration) : duration
  if (!isDuration(value)) {
    throw new DurationError(
      `${name}: ${shown(duration)} is not a duration; give milliseconds (30000) or a number with ms, s, m, h or d ('30s')`,
    )
  }
  return value
}

/** Whether a value is a number of milliseconds that serves as a duration. */
export function isDuration(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= longest
}

/** What people write in place of a unit. */
const spoken = new Map(
  Object.entries({
    ...{ sec: 's', secs: 's', second: 's', seconds: 's', min: 'm', mins: 'm', minute: 'm', minutes: 'm' },
    ...{ hour: 'h', hours: 'h', day: 'd', days: 'd' },
  }),
)

/** Milliseconds of a text with a unit, as people write it: `2h`, `2 hours`, `1w`; undefined: it is no duration. */
export function durationIn(text: string): number | undefined {
  const [, weeks] = /^(\d+(?:\.\d+)?) ?(?:w|weeks?)$/.exec(text) ?? []
  const value =
    weeks === undefined
      ? parse(text.replace(/[a-z]+$/, (unit) => spoken.get(unit) ?? unit))
      : Number(weeks) * 7 * unitMilliseconds.d
  return isDuration(value) ? value : undefined
}

function parse(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)$/.exec(text) ?? []
  return amount === undefined ? Number.NaN : Number(amount) * unitMilliseconds[unit as Unit] // the pattern admits just these
}
