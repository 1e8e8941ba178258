/** How often a duration was between two bounds, and all of them together: of {@link histogramBounds}. */
export interface Histogram {
  /**
   * How many durations were at most `histogramBounds[n]` and above the bound before it, at place `n`; at the last place those above
   * all bounds. Places at the end that are empty may be missing.
   */
  readonly counts: readonly number[]
  /** Milliseconds, of all of them. */
  readonly sum: number
}

/** How many bounds there are. */
export const places = 54

/**
 * The upper bounds (milliseconds) of a {@link Histogram}: powers of the square root of two, from 1 ms to more than a day. So a
 * {@link quantile} is off by a factor of 1.41 at most, and by a few percent as a rule.
 */
export const histogramBounds: readonly number[] = Array.from({ length: places }, (_, place) => 2 ** (place / 2))

/** The place of a duration (milliseconds) in a histogram. */
export function placeOf(duration: number): number {
  return duration > 1 ? Math.min(places, Math.ceil(2 * Math.log2(duration))) : 0
}

/** How many durations a histogram has. */
export function countOf({ counts }: Histogram): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/**
 * The duration (milliseconds) that a share of all did not exceed, by interpolation between two bounds; undefined where there is
 * none. What took longer than all bounds counts as the last one.
 *
 * @param share from 0 to 1
 * @example const p95 = quantile(worker.stats().duration, 0.95)
 */
export function quantile(histogram: Histogram, share: number): number | undefined {
  const count = countOf(histogram)
  if (count === 0) return undefined
  const wanted = share * count
  let before = 0
  for (const [place, here] of histogram.counts.entries()) {
    if (here > 0 && before + here >= wanted) return within(place, (wanted - before) / here)
    before += here
  }
  return histogramBounds.at(-1)
}

function within(place: number, share: number): number {
  const [low = 0, high] = [histogramBounds[place - 1], histogramBounds[place]]
  return high === undefined ? low : low + (high - low) * share
}

/** What came to a histogram since an earlier time. */
export function histogramSince(now: Histogram, before: Histogram): Histogram {
  const counts = now.counts.map((count, place) => count - (before.counts[place] ?? 0))
  return { counts: trimmed(counts), sum: now.sum - before.sum }
}

/** All durations of several histograms. */
export function histogramOf(some: readonly Histogram[]): Histogram {
  const counts = Array.from({ length: places + 1 }, (_, place) =>
    some.reduce((sum, { counts }) => sum + (counts[place] ?? 0), 0),
  )
  return { counts: trimmed(counts), sum: some.reduce((all, { sum }) => all + sum, 0) }
}

/** Without the empty places at its end. */
function trimmed(counts: readonly number[]): readonly number[] {
  return counts.slice(0, counts.findLastIndex((count) => count !== 0) + 1)
}

/** Counts durations. */
export class HistogramCount {
  readonly #counts = new Array<number>(places + 1).fill(0)
  #sum = 0

  /** @param duration milliseconds */
  add(duration: number): void {
    const place = placeOf(duration)
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
    this.#sum += duration
  }

  /** What was counted until now. */
  get histogram(): Histogram {
    return { counts: [...this.#counts], sum: this.#sum }
  }
}
