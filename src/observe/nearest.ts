/** The name that is most like another; undefined: none is near. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const wanted = name.toLowerCase().slice(0, longest)
  const near = names.map((each) => ({ each, distance: distanceOf(wanted, each.toLowerCase().slice(0, longest)) }))
  const [best] = near.toSorted((a, b) => a.distance - b.distance)
  return best && best.distance <= Math.max(1, wanted.length / 2) ? best.each : undefined
}

/** Longer names don't exist; what a stranger writes may be of any length. */
const longest = 63

/** How many letters to change, add or leave out to make one of the other. */
function distanceOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, n) => n)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const change = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[other.length] ?? 0
}
