import { isDeepStrictEqual } from 'node:util'

/** A promise that does not hold: the message has what was expected, and what was seen. */
export class BrokenError extends Error {
  override readonly name = 'BrokenError'
  readonly code = 'BROKEN'
}

/** @throws BrokenError where it is not so */
export function expectSame<T>(what: string, seen: T, expected: T): void {
  if (isDeepStrictEqual(seen, expected)) return
  throw new BrokenError(`${what}: expected ${JSON.stringify(expected)}, saw ${JSON.stringify(seen)}`)
}

/** @throws BrokenError where there are more, or one is not a number */
export function expectAtMost(what: string, seen: number, most: number): void {
  if (seen <= most) return
  throw new BrokenError(`${what}: expected at most ${most}, saw ${seen}`)
}
