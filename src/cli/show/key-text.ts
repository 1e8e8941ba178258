/** A key as filters write it, in the order of its columns' names: `region=eu, tenant_id=7`. */
export function keyText(key: Readonly<Record<string, unknown>>): string {
  return Object.entries(key)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(', ')
}

/** The key of a table, or the table, in a sentence. */
export const ofKey = (table: string, key: Readonly<Record<string, unknown>> | undefined): string =>
  key === undefined ? table : `${keyText(key)} of ${table}`
