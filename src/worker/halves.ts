/**
 * The two halves of what was refused as a whole: where one of them goes through, the culprit is in the other. One that is
 * alone has none.
 */
export function halves<Entry>(entries: readonly Entry[]): (readonly Entry[])[] {
  if (entries.length < 2) return []
  const middle = Math.ceil(entries.length / 2)
  return [entries.slice(0, middle), entries.slice(middle)]
}
