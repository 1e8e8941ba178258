/** A handler's result that its `result` column can't hold. */
export class ResultError extends TypeError {
  override readonly name = 'ResultError'
  readonly code = 'INVALID_RESULT'
}

/** In JSON text: an escaped NUL, or half of a surrogate pair; jsonb refuses both. */
const unstorable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/

/** Characters of JSON, about 64 MB: what is longer would take longer to write than a lease lives, and jsonb holds 256 MB. */
const longest = 2 ** 26

/**
 * A handler's result as the JSON text that is stored: made once, when the handler returns, as the object may change later.
 * Undefined where it has none.
 * @throws ResultError
 */
export function jsonOf(result: unknown): string | undefined {
  let text: string | undefined
  try {
    text = JSON.stringify(result)
  } catch (cause) {
    throw new ResultError('The handler returned a value that is no JSON, so it can not go to the column result', {
      cause,
    })
  }
  if (text !== undefined && text.length > longest) {
    throw new ResultError(
      `The handler returned ${text.length} characters of JSON, and ${longest} is the most that is stored: return where it is to be found`,
    )
  }
  if (text !== undefined && unstorable.test(text)) {
    throw new ResultError(
      'The handler returned text with a NUL or half of a surrogate pair, which the column result can not hold',
    )
  }
  return text
}
