import { type RawBuilder, sql } from 'kysely'
import { later, now } from '../predicates/clock.js'
import { durationIn } from '../schema/duration.js'

/** A point in time as a person gives it: fixed, or so long from now. */
export type Moment =
  | {
      readonly at: string
      /** No time of the day was given: compared by `=`, the whole day is meant. */
      readonly isDay: boolean
    }
  /** Milliseconds. */
  | { readonly fromNow: number }

const fixed =
  /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,6})?)?\s?(Z|[+-]\d\d(?::?\d\d)?)?)?)?)?$/i

/** From today. */
const days = new Map(Object.entries({ yesterday: -1, today: 0, tomorrow: 1 }))

/**
 * Reads `2026-01-31`, `2026-01`, `2026-01-31T12:00:00.5+02:00`, `-2h`, `+30m`, `now`, `infinity`. What has no zone is UTC.
 * `tomorrow`, `today` and `yesterday` are days of UTC, by this machine's clock.
 * @returns undefined: it is none
 */
export function momentOf(text: string): Moment | undefined {
  const word = text.trim()
  if (/^[+-]?infinity$/i.test(word)) return { at: word.toLowerCase().replace('+', ''), isDay: false }
  if (/^now$/i.test(word)) return { fromNow: 0 }
  const day = days.get(word.toLowerCase())
  if (day !== undefined) return fixedMoment(new Date(Date.now() + day * 86_400_000).toISOString().slice(0, 10))
  const [, sign, length = ''] = /^([+-])(.+)$/.exec(word) ?? []
  const by = durationIn(length)
  return by === undefined ? fixedMoment(word) : { fromNow: sign === '-' ? -by : by }
}

function fixedMoment(word: string): Moment | undefined {
  const [found, year = '', month = '01', day = '01', hour = '00', minute = '00', second = '00', fraction = '', zone] =
    fixed.exec(word) ?? []
  if (found === undefined || year === '0000') return undefined
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const utc = new Date(`${iso}Z`)
  // Date takes the 31st of February for the 3rd of March.
  if (Number.isNaN(utc.getTime()) || !utc.toISOString().startsWith(iso)) return undefined
  const offset = offsetOf(zone)
  if (offset === undefined) return undefined
  const moved = new Date(utc.getTime() - offset * 60_000)
  const at = moved.toISOString().slice(0, 19)
  if (!/^\d{4}-/.test(at) || at.startsWith('0000')) return undefined
  return { at: `${at}${fraction}Z`, isDay: word.length === 'yyyy-mm-dd'.length }
}

/** Minutes east of UTC; undefined: there is no such zone. */
function offsetOf(zone = 'Z'): number | undefined {
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? []
  if (sign === undefined) return 0
  if (Number(hours) > 15 || Number(minutes) > 59) return undefined
  return (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1)
}

/** A moment as a value of a column's type (`timestamptz`, `timestamp`, `date`); of one without a time zone UTC's. */
export function momentIn(moment: Moment, base: string): RawBuilder<unknown> {
  const time = 'at' in moment ? sql`${moment.at}::timestamptz` : sql`(${later(now(), moment.fromNow)})`
  if (base === 'timestamptz') return time
  const plain = sql`(${time} at time zone 'UTC')`
  return base === 'timestamp' ? plain : sql`${plain}::date`
}
