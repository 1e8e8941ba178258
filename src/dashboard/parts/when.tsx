import { fromNowText, spanText } from '../../observe/time-text.js'

/** A time as people say it, the exact one on hover. */
export function When({ at, now }: { readonly at: Date | string | null | undefined; readonly now: Date }) {
  const date = typeof at === 'string' ? new Date(at) : at
  if (!date || Number.isNaN(date.getTime())) return <span class="quiet">–</span>
  const iso = date.toISOString()
  return (
    <time class="nowrap" datetime={iso} title={`${iso.slice(0, 19).replace('T', ' ')} UTC`}>
      {fromNowText(date.getTime() - now.getTime())}
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
