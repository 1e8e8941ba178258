import type { JobView } from '../../observe/view.js'

/** A key of one column; of more by code. */
export function KeyChoice({ view, all }: { readonly view: JobView; readonly all: string }) {
  const columns = view.columns.filter(({ isOfQueue, kind }) => !isOfQueue && !['json', 'array', 'bytes'].includes(kind))
  return (
    <>
      <label>
        What
        <select name="column">
          <option value="">{all}</option>
          {columns.map(({ name }) => (
            <option value={name}>jobs whose {name} is</option>
          ))}
        </select>
      </label>
      <label>
        Value
        <input name="value" />
      </label>
    </>
  )
}
