const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000]

/** Milliseconds as people say them: `420 ms`, `3.2 s`, `4 min`, `2 h 10 min`, `5 d`. */
export function spanText(time: number): string {
  if (time < second) return `${Math.round(time)} ms`
  if (time < 10 * second) return `${(time / second).toFixed(1)} s`
  if (time < 2 * minute) return `${Math.round(time / second)} s`
  if (time < 2 * hour) return `${Math.round(time / minute)} min`
  if (time < 2 * day)
    return `${Math.floor(time / hour)} h ${Math.floor((time % hour) / minute)} min`.replace(' 0 min', '')
  return `${Math.round(time / day)} d`
}

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
  const difference = date.getTime() - now.getTime()
  if (Math.abs(difference) < second) return 'now'
  const text = spanText(Math.abs(difference)).replace(/\.\d s$/, ' s')
  return difference < 0 ? `${text} ago` : `in ${text}`
}
