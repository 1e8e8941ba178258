/** What a list of one kind of error is of, by the error of one of its jobs. */
export const kindText = (error: string | null | undefined): string =>
  error ? `errors like: ${error}` : 'errors of one kind'
