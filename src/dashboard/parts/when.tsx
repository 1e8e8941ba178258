/** A time as people say it, the exact one on hover. */
export function When({ at, now }: { readonly at: Date | string | null | undefined; readonly now: Date }) {
  const date = typeof at === 'string' ? new Date(at) : at
  if (!date || Number.isNaN(date.getTime())) return <span class="quiet">–</span>
  const iso = date.toISOString()
  return (
    <time class="nowrap" datetime={iso} title={`${iso.slice(0, 19).replace('T', ' ')} UTC`}>
      {relative(date.getTime() - now.getTime())}
    </time>
  )
}

/** Milliseconds as people say them: `420 ms`, `3.2 s`, `4 min`, `2 h 10 min`, `5 d`. */
export function Span({ of }: { readonly of: number | null | undefined }) {
  if (of === null || of === undefined || !Number.isFinite(of)) return <span class="quiet">–</span>
  return (
    <span class="nowrap" title={`${Math.round(of).toLocaleString('en')} ms`}>
      {spanText(of)}
    </span>
  )
}

const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000]

export function spanText(time: number): string {
  if (time < second) return `${Math.round(time)} ms`
  if (time < 10 * second) return `${(time / second).toFixed(1)} s`
  if (time < 2 * minute) return `${Math.round(time / second)} s`
  if (time < 2 * hour) return `${Math.round(time / minute)} min`
  if (time < 2 * day) return `${Math.floor(time / hour)} h ${Math.round((time % hour) / minute)} min`
  return `${Math.round(time / day)} d`
}

function relative(difference: number): string {
  const time = Math.abs(difference)
  if (time < second) return 'now'
  const text = time < 2 * minute ? `${Math.round(time / second)} s` : spanText(time)
  return difference < 0 ? `${text} ago` : `in ${text}`
}
