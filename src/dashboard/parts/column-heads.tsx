/** The heads of a table's columns. That of what can be done is for screen readers alone. */
export function ColumnHeads(props: {
  readonly of: readonly string[]
  /** Those of numbers. */
  readonly numbers?: readonly string[]
  readonly actions?: boolean
}) {
  const { of, numbers = [], actions = false } = props
  return (
    <thead>
      <tr>
        {of.map((text) => (
          <th scope="col" class={numbers.includes(text) ? 'number' : undefined}>
            {text}
          </th>
        ))}
        {actions && (
          <th scope="col">
            <span class="unseen">Actions</span>
          </th>
        )}
      </tr>
    </thead>
  )
}
