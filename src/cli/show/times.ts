import { fromNowText } from '../../observe/time-text.js'

/** How a command shows times. */
export interface Times {
  /** The database's clock. */
  readonly now: Date
  /** As they are, in UTC, and not from now. */
  readonly isUtc: boolean
}

/** A time as people say it, `2 h 10 min ago`, or `2026-01-31 12:00:00Z`; a dash where there is none. */
export function timeText(at: Date | string | null | undefined, { now, isUtc }: Times): string {
  if (at === null || at === undefined) return '-'
  const date = typeof at === 'string' ? new Date(at) : at
  if (Number.isNaN(date.getTime())) return String(at) // infinity
  if (isUtc) return `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`
  return fromNowText(date.getTime() - now.getTime())
}
