/** So many names a pool gives at most, in all its life: each is a statement that every connection may hold. */
const mostNames = 32

/** The names under which the connections of a pool keep their prepared statements, by the statements' texts. */
export class StatementNames {
  readonly #names = new Map<string, string>()
  #given = 0

  /** The name of a text; another one after a refusal: under the old one sessions hold what was refused. */
  of(text: string): string | undefined {
    if (!this.#names.has(text) && this.#given < mostNames) {
      this.#given += 1
      this.#names.set(text, `kysely-jobs ${this.#given}`)
    }
    return this.#names.get(text)
  }

  /** What was kept by this name was refused. */
  forget(text: string, name: string): void {
    if (this.#names.get(text) === name) this.#names.delete(text)
  }
}
