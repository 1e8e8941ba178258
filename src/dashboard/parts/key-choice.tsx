import type { JobView } from '../../observe/view.js'
import { type Typed, typedIn } from '../typed.js'

/** A key of one column; of more by code. */
export function KeyChoice(props: {
  readonly view: JobView
  readonly all: string
  readonly typed: Typed | undefined
  /** The column that is likely to be meant. */
  readonly likely?: string | undefined
}) {
  const { view, all, typed } = props
  const chosen = typedIn(typed, 'column') ?? props.likely
  const columns = view.columns.filter(({ isOfQueue, kind }) => !isOfQueue && !['json', 'array', 'bytes'].includes(kind))
  return (
    <>
      <label>
        What
        <select name="column">
          <option value="">{all}</option>
          {columns.map(({ name }) => (
            <option value={name} selected={name === chosen}>
              jobs whose {name} is
            </option>
          ))}
        </select>
      </label>
      <label>
        Value
        <input name="value" value={typedIn(typed, 'value')} />
      </label>
    </>
  )
}
