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

/** How far a time is from now (milliseconds; negative: it is over), as people say it: `2 h 10 min ago`, `in 4 s`, `now`. */
export function fromNowText(difference: number): string {
  const time = Math.abs(difference)
  if (time < second) return 'now'
  const text = time < 2 * minute ? `${Math.round(time / second)} s` : spanText(time)
  return difference < 0 ? `${text} ago` : `in ${text}`
}
