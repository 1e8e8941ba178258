import type { RowKey } from '../queue/fenced.js'

/** So many leases long a row is passed over that the table refused. */
const passedOverFor = 5

/** Rows that a CHECK or a trigger did not let be written: each is passed over for a while, so that it keeps none behind it from its turn. */
export class PassedOver {
  /** For how long, in milliseconds. */
  readonly time: number
  #rows: readonly (RowKey & { readonly until: number })[] = []

  constructor(lease: number) {
    this.time = lease * passedOverFor
  }

  /** Of another identity when they have changed. */
  get rows(): readonly RowKey[] {
    const now = performance.now()
    if (this.#rows.some(({ until }) => until <= now)) this.#rows = this.#rows.filter(({ until }) => until > now)
    return this.#rows
  }

  add(rows: readonly RowKey[]): void {
    const until = performance.now() + this.time
    this.#rows = [...this.#rows, ...rows.map(({ id, key }) => ({ id, key, until }))]
  }
}
