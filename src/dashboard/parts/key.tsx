import type { PausedKey } from '../../queue/paused-keys.js'

/** A key: its columns and their values. */
export function KeyText({ of, all }: { readonly of: PausedKey | undefined; readonly all: string }) {
  if (of === undefined) return <span>{all}</span>
  return (
    <code>
      {Object.entries(of)
        .map(([name, value]) => `${name} = ${value}`)
        .join(', ')}
    </code>
  )
}

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
