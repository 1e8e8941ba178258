/** Of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [low = Number.NaN, high = Number.NaN] = [sorted.at((sorted.length - 1) / 2), sorted.at(sorted.length / 2)]
  return (low + high) / 2
}

/** The value that this share of them does not pass. */
export function quantile(values: readonly number[], share: number): number {
  return ofSorted(
    values.toSorted((a, b) => a - b),
    share,
  )
}

/** The shares of {@link quantiles}: each hundredth, and the tail. */
const shares = [...Array.from({ length: 100 }, (_, i) => i / 100), 0.995, 0.999, 1]

/** What many values are in short: each share, and the value that it does not pass. */
export type Quantiles = readonly (readonly [share: number, value: number])[]

export function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b)
  return shares.map((share) => [share, ofSorted(sorted, share)])
}

function ofSorted(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Runs each, in turn, round after round; every other round backwards, so that none always follows the same one. */
export async function interleaved<Key extends string, Value>(
  keys: readonly Key[],
  rounds: number,
  measure: (key: Key) => Promise<Value>,
): Promise<Record<Key, Value[]>> {
  const results = Object.fromEntries(keys.map((key) => [key, [] as Value[]])) as Record<Key, Value[]>
  for (let round = 0; round < rounds; round++) {
    for (const key of round % 2 === 0 ? keys : keys.toReversed()) results[key].push(await measure(key))
  }
  return results
}

/** The median of each field. */
export function medians<Fields extends object>(runs: readonly Fields[]): Fields {
  const [first] = runs
  if (first === undefined) throw new RangeError('no runs')
  const names = Object.keys(first) as (keyof Fields)[]
  return Object.fromEntries(names.map((name) => [name, median(runs.map((run) => Number(run[name])))])) as Fields
}
