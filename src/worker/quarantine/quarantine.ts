import { setTimeout as sleep } from 'node:timers/promises'

/** Poll interval (milliseconds) while a job waits to be alone. */
const lookEvery = 5

/** A worker as the quarantine knows it. */
export interface QuarantineMember {
  /** How many leases it holds; a fetch under way may become some. */
  held(): number
  /** Releases what it has claimed and not begun. */
  release(): void
  /** It may claim and begin again. */
  reopened(): void
}

/**
 * Closed, it keeps all workers of a process from claiming and beginning, so that a job that was interrupted twice in a row can
 * be the only one. What others had claimed is released: a process that dies takes with it all that it has claimed, begun
 * or not. (1 job that killed its workers took 7 of 7 others to failed; alone it takes none.)
 */
export class Quarantine {
  readonly #members = new Set<QuarantineMember>()
  #isClosed = false

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Returns an unsubscribe function. */
  join(member: QuarantineMember): () => void {
    this.#members.add(member)
    return () => this.#members.delete(member)
  }

  /** Returns a function that opens it again. */
  close(): () => void {
    this.#isClosed = true
    for (const member of this.#members) member.release()
    return () => {
      this.#isClosed = false
      for (const member of this.#members) member.reopened()
    }
  }

  /** Whether no lease is held in this process but that of the job that is to be alone. */
  get isAlone(): boolean {
    let held = 0
    for (const member of this.#members) held += member.held()
    return held <= 1
  }
}

/** Waits until something is so, but no longer than so many milliseconds. Does not keep a process that has nothing else to do. */
export async function waitUntil(isSo: () => boolean, limit: number): Promise<void> {
  const end = performance.now() + limit
  while (!isSo() && performance.now() < end) await sleep(lookEvery, undefined, { ref: false })
}
