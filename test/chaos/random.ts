/** Numbers that look random and are the same for the same seed, so that a failure can be run again. */
export interface Random {
  /** From `least` to below `most`. */
  between(least: number, most: number): number
  /** A whole number from 0 to below `count`. */
  below(count: number): number
  pick<Item>(items: readonly Item[]): Item
}

/** Mulberry32: small, and good enough to choose victims and moments. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (count: number) => Math.floor(next() * count)
  return {
    between: (least, most) => least + next() * (most - least),
    below,
    pick: (items) => items[below(items.length)]!,
  }
}
