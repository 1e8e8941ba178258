import type { KeyedGiven } from '../../queue/allowed-jobs.js'
import type { Keyed } from '../../queue/claim.js'
import type { KeyedRows } from '../../queue/keyed-fetch.js'

/** A fetch visits four times as many keys as it may bring jobs, and at least so many; where it brings none, twice as many, up to so many. */
const keysPerJob = 4
const fewestKeys = 100
const mostKeys = 100_000

/** After so many walks that found nothing, and did not come around all keys, the next waits as if they had. */
const mostFruitless = 12

/** What a fetch has shown. */
export interface Seen {
  /** Another may bring more, at once. */
  readonly isMore: boolean
  /** Keys may have more than came to them in a round. */
  readonly isCut: boolean
}

/** Goes from key to key around all of them, from one fetch to the next. */
export class KeyRound {
  /** The key that was visited last, and how many there are, as far as was seen. */
  #last: readonly string[] = []
  #keys = Number.POSITIVE_INFINITY
  /** How many walks in a row found nothing, and did not come around. */
  #fruitless = 0
  #most = fewestKeys

  /** Of each key as many as come to it in one round, where nothing else says how many. */
  given({ isFair, total, totalRate }: Keyed, limit: number): Pick<KeyedGiven, 'quota' | 'walk'> {
    const comesToAll = Math.min(limit, total ?? limit, totalRate?.burst ?? limit)
    const quota = isFair ? Math.max(1, Math.ceil(comesToAll / this.#keys)) : limit
    const most = Math.min(mostKeys, Math.max(this.#most, limit * keysPerJob))
    return { quota, walk: { last: this.#last, most } }
  }

  /** @param given what the fetch was given */
  saw({ rows, walked }: KeyedRows, { limit, quota, walk }: KeyedGiven): Seen {
    const [keys, isFull] = [walked?.keys ?? 0, rows.length >= limit]
    const isWhole = keys < walk.most
    this.#last = walked?.last ?? this.#last
    // A fetch that was full has not seen all keys: the next takes less of each, to see more. One that nothing was left for has seen none.
    if (walked !== undefined) this.#keys = isFull ? keys * 2 : Math.max(1, keys)
    this.#fruitless = rows.length === 0 && !isWhole ? this.#fruitless + 1 : 0
    this.#most = this.#fruitless > 0 ? this.#most * 2 : fewestKeys
    const isMore = isFull || (!isWhole && this.#fruitless < mostFruitless)
    return { isMore, isCut: rows.length > 0 && quota < limit }
  }
}
