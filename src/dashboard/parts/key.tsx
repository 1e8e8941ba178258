import type { PausedKey } from '../../queue/paused-keys.js'

interface KeyOf {
  readonly of: PausedKey | undefined
  readonly all: string
  /** Columns whose values are not shown. */
  readonly hidden: readonly string[]
}

/** A key: its columns and their values. */
export function KeyText({ of, all, hidden }: KeyOf) {
  if (of === undefined) return <span>{all}</span>
  return (
    <code>
      {Object.entries(of)
        .map(([name, value]) => (hidden.includes(name) ? `${name}, which is hidden` : `${name} = ${value}`))
        .join(', ')}
    </code>
  )
}

/** Whether a form may have it: no hidden value is sent to browsers. */
export const isShownKey = (key: PausedKey | undefined, hidden: readonly string[]): boolean =>
  Object.keys(key ?? {}).every((name) => !hidden.includes(name))

/** The same in a form, each column with its value. */
export function keyFields(key: PausedKey | undefined) {
  return Object.entries(key ?? {}).map(([name, value]) => (
    <>
      <input type="hidden" name="column" value={name} />
      <input type="hidden" name="value" value={value} />
    </>
  ))
}

/** The key that a form gives; undefined: all jobs. */
export function keyIn(form: URLSearchParams): Record<string, string> | undefined {
  const values = form.getAll('value')
  const pairs = form.getAll('column').map((name, n) => [name, values[n] ?? ''] as const)
  const given = pairs.filter(([name]) => name !== '')
  return given.length === 0 ? undefined : Object.fromEntries(given)
}
