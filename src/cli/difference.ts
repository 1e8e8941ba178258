/** Lines shown around a change. */
const context = 3

interface Line {
  readonly sign: ' ' | '-' | '+'
  readonly text: string
}

/**
 * What makes one text another, line by line as `diff -u` shows it: `-` only in the first, `+` only in the second, with
 * a few lines around. Empty where they are equal.
 */
export function difference(before: string, after: string): readonly string[] {
  const lines = compared(before.split('\n'), after.split('\n'))
  const shown = new Set<number>()
  for (const [at, { sign }] of lines.entries()) {
    if (sign === ' ') continue
    for (let near = Math.max(0, at - context); near <= at + context; near++) shown.add(near)
  }
  return lines.flatMap(({ sign, text }, at) => {
    if (!shown.has(at)) return []
    const line = `${sign}${text}`
    return shown.has(at - 1) ? [line] : [`@@ line ${lineNumber(lines, at)} @@`, line]
  })
}

/** The number in the first text of the line at an index. */
function lineNumber(lines: readonly Line[], at: number): number {
  return 1 + lines.slice(0, at).filter(({ sign }) => sign !== '+').length
}

/** Patience diff: lines that occur once on both sides hold the texts together; what is between them is compared in turn. */
function compared(before: readonly string[], after: readonly string[]): Line[] {
  const shorter = Math.min(before.length, after.length)
  let head = 0
  while (head < shorter && before[head] === after[head]) head++
  let tail = 0
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++
  const middle = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)] as const
  return [
    ...signed(' ', before.slice(0, head)),
    ...split(...middle),
    ...signed(' ', before.slice(before.length - tail)),
  ]
}

function split(before: readonly string[], after: readonly string[]): Line[] {
  const anchors = longestRise(commonOnce(before, after))
  if (anchors.length === 0) return [...signed('-', before), ...signed('+', after)]
  const starts = [[0, 0] as const, ...anchors]
  return starts.flatMap(([from, to], i) => {
    const [end, endAfter] = starts[i + 1] ?? [before.length, after.length]
    return compared(before.slice(from, end), after.slice(to, endAfter))
  })
}

function signed(sign: Line['sign'], texts: readonly string[]): Line[] {
  return texts.map((text) => ({ sign, text }))
}

type Pair = readonly [before: number, after: number]

/** Where the lines are that occur exactly once on each side, in the order of the first. */
function commonOnce(before: readonly string[], after: readonly string[]): Pair[] {
  const there = placesOfUnique(after)
  return [...placesOfUnique(before)].flatMap(([text, at]) => {
    const place = there.get(text)
    return place === undefined ? [] : [[at, place] as const]
  })
}

function placesOfUnique(lines: readonly string[]): ReadonlyMap<string, number> {
  const places = new Map(lines.map((text, at) => [text, at]))
  for (const [at, text] of lines.entries()) if (places.get(text) !== at) places.delete(text)
  return places
}

interface Rise {
  readonly last: Pair
  readonly before: Rise | undefined
}

/** The most pairs that keep the order of both sides. */
function longestRise(pairs: readonly Pair[]): Pair[] {
  const rises: Rise[] = [] // at n - 1: the one of n pairs whose last is the smallest so far
  for (const pair of pairs) {
    const shorter = rises.findLastIndex(({ last }) => last[1] < pair[1])
    rises[shorter + 1] = { last: pair, before: rises[shorter] }
  }
  const longest: Pair[] = []
  for (let rise = rises.at(-1); rise !== undefined; rise = rise.before) longest.unshift(rise.last)
  return longest
}
