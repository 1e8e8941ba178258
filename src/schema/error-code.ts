/** The code of an error, whoever made it; empty where it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error ? String(Reflect.get(error, 'code') ?? '') : ''
}
