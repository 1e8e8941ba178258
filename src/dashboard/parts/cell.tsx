import type { Cell as Value } from '../../observe/found-job.js'

/** A value of a list: what the row is called that it points to, where it points to one. */
export function Cell({ of }: { readonly of: Value | undefined }) {
  if (of === undefined || of.text === null) return <span class="quiet">–</span>
  if (of.label !== undefined)
    return (
      <span title={of.text}>
        {of.label} <span class="quiet small">{of.text}</span>
      </span>
    )
  return (
    <span title={of.text}>
      {of.text === '' ? <span class="quiet">empty</span> : of.text}
      {of.isCut && '…'}
    </span>
  )
}
