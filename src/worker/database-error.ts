/**
 * SQLSTATE classes in which a statement fails whatever rows it writes: no connection, transaction rolled back,
 * read-only, not allowed, no resources, shutdown, system error.
 */
const concernAll = /^(?:08|25|28|40|42|53|57P|58|XX)/

/** Whether an error would meet any statement of the kind, so that a batch need not be taken apart to find a culprit. */
export function concernsAll(error: unknown): boolean {
  const code = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) return true
  return concernAll.test(code)
}
