/** A success that the database did not take; its cause says why. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly code = 'REFUSED'
}
