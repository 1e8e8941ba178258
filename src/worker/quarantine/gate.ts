/** A worker as the gate knows it. */
export interface Passer {
  /** How many leases it holds; a fetch under way may become some. */
  held(): number
  /** Gives up what it has claimed and not begun. */
  handBack(): void
  /** It may claim and begin again. */
  opened(): void
}

/**
 * Shut, it keeps all workers of a process from claiming and beginning, so that a suspect (a job taken over from a dead
 * worker) can be the only one. What others had claimed ahead is handed back: a process that dies takes with it all
 * that it has claimed, begun or not. (1 poison job took 7 of 7 innocents to failed; alone it takes none.)
 */
export class Gate {
  readonly #passers = new Set<Passer>()
  shut = false

  /** Gives the way out. */
  join(passer: Passer): () => void {
    this.#passers.add(passer)
    return () => this.#passers.delete(passer)
  }

  /** Gives what opens it again. */
  close(): () => void {
    this.shut = true
    for (const passer of this.#passers) passer.handBack()
    return () => {
      this.shut = false
      for (const passer of this.#passers) passer.opened()
    }
  }

  /** Whether no lease is held in this process but the suspect's. */
  get isLast(): boolean {
    let held = 0
    for (const passer of this.#passers) held += passer.held()
    return held <= 1
  }
}
