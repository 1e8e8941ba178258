import { getHeapStatistics } from 'node:v8'

/** The share of its heap that the jobs of a process may take: what they are parsed from, and what handlers make of them, comes on top. */
const shareOfHeap = 1 / 16

/** So many bytes of heap for each row of a fetch: where jobs suddenly are large, one fetch comes before that is known. */
const heapForRow = 2 ** 20

/** How much memory the jobs that the workers of a process have claimed may take, by their estimates. */
export class MemoryBudget {
  readonly #heap = getHeapStatistics().heap_size_limit
  readonly #holders = new Set<() => number>()

  /** The most rows of one fetch. */
  readonly mostRows: number = Math.ceil(this.#heap / heapForRow)

  /** Adds a worker, by how many bytes its jobs take. Returns an unsubscribe function. */
  join(held: () => number): () => void {
    this.#holders.add(held)
    return () => this.#holders.delete(held)
  }

  /** Bytes that may still be claimed. */
  get left(): number {
    let held = 0
    for (const holder of this.#holders) held += holder()
    return this.#heap * shareOfHeap - held
  }
}
