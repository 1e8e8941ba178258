/**
 * SQLSTATE classes in which a statement fails whatever rows it writes: no connection, transaction rolled back,
 * read-only, not allowed, no resources, shutdown, system error.
 */
const concernAll = /^(?:08|25|28|40|42|53|57P|58|XX)/

/** Whether an error would meet any statement of the kind, so that a batch need not be taken apart to find a culprit. */
export function concernsAll(error: unknown): boolean {
  const code = sqlState(error)
  return code === undefined || concernAll.test(code)
}

/** The code of what a server said; undefined where it said nothing. EPIPE looks like one, but each has a digit. */
export function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined
}
