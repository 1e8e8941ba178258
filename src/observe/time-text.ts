const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000]

/** Milliseconds as people say them: `420 ms`, `3.2 s`, `1 min 30 s`, `4 min`, `2 h 10 min`, `5 d`. */
export function spanText(time: number): string {
  if (time < second) return `${Math.round(time)} ms`
  if (time < 9_950) return `${(time / second).toFixed(1)} s`
  return wholeText(Math.round(time / second) * second)
}

/** The same of whole seconds; what rounds up to an hour or a day is said so. */
function wholeText(time: number): string {
  if (time < minute) return `${time / second} s`
  if (time < 2 * minute) return `1 min ${(time - minute) / second} s`.replace(' 0 s', '')
  const rounded = Math.round(time / minute) * minute
  if (rounded < hour) return `${rounded / minute} min`
  if (rounded < 2 * day) return `${Math.floor(rounded / hour)} h ${(rounded % hour) / minute} min`.replace(' 0 min', '')
  return `${Math.round(time / day)} d`
}

/** How far a time is from now (milliseconds; negative: it is over), as people say it: `2 h 10 min ago`, `in 4 s`, `now`. */
export function fromNowText(difference: number): string {
  const time = Math.abs(difference)
  if (time < second) return 'now'
  const text = wholeText(Math.round(time / second) * second)
  return difference < 0 ? `${text} ago` : `in ${text}`
}
