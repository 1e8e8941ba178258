import { momentOf } from '../../observe/moment.js'
import { durationIn } from '../../schema/duration.js'
import { OptionError } from '../terminal.js'

/** So long (milliseconds) from now, or at a time as Postgres reads it. */
export type GivenTime = { readonly delay: number } | { readonly to: string }

/**
 * A time as it is given: so long from now (`2h`), or then (`2026-12-24T18:00+01:00`, of UTC where it has no zone).
 * @throws OptionError
 */
export function timeIn(text: string, option: string): GivenTime {
  const delay = durationIn(text.trim())
  if (delay !== undefined) return { delay }
  const moment = momentOf(text)
  if (moment === undefined) {
    throw new OptionError(
      `${option} ${JSON.stringify(text)} is no time: write 2h, tomorrow, 2026-12-24, 2026-12-24T18:00+01:00, now or infinity`,
    )
  }
  if ('at' in moment) return { to: moment.at }
  return moment.fromNow >= 0 ? { delay: moment.fromNow } : { to: new Date(Date.now() + moment.fromNow).toISOString() }
}
