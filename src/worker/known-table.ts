import { sqlState } from '../pg/error-class.js'
import type { FinishedRows } from '../queue/finished.js'
import type { JobArchive } from '../schema/archive.js'
import type { Placement } from '../schema/engine.js'
import type { JobTableDescription } from '../schema/inspect.js'
import { hasColumn } from '../schema/row.js'
import type { Settings } from './options.js'
import type { UsedColumn } from './scope.js'

/** What Postgres says of a column or table that is not there, not allowed or of another type, and of a null that is not allowed. */
const structural = /^(?:42703|42601|42P01|42501|42804|23502)$/

/** How often (milliseconds) it is looked whether an archive is mended. */
const mendingInterval = 30_000

/** How often (milliseconds) it is told that the table is elsewhere. */
const movedInterval = 60_000

const usedColumns: readonly UsedColumn[] = ['priority', 'max_attempts', 'result', 'started_at', 'finished_at', 'errors']

/** An archive that was one when the worker started, and takes no jobs any more; they stay in their table. */
class ArchiveFlawError extends Error {
  override readonly name = 'ArchiveFlawError'
  readonly code = 'ARCHIVE'
}

/** What Citus says of a statement that can't go to the nodes of its table. */
const notSpread = /^(?:0A000|42P16)$/

/** The table is elsewhere than when the worker started, by whose statements it is not worked. */
class TableMovedError extends Error {
  override readonly name = 'TableMovedError'
  readonly code = 'TABLE_MOVED'
}

interface Surroundings {
  look(): Promise<JobTableDescription>
  report(error: unknown, doing: string): void
}

/** What a worker knows of its table and the archive. It looks at them again where they may have changed. */
export class KnownTable {
  columns: readonly UsedColumn[] = []
  finished: FinishedRows = {}
  archive: JobArchive | undefined
  readonly #settings: Settings
  readonly #around: Surroundings
  /** Those columns that a fetched row had when the table was last looked at for it: once for each change. */
  #shape: string | undefined
  #flaw: string | undefined
  /** Where the table was when the worker started, and where it is. */
  readonly #home: Placement
  #placement: Placement
  /** When (monotonic milliseconds) it was last told that these differ. */
  #movedAt = Number.NEGATIVE_INFINITY
  #lookedAt = performance.now()
  #looking: Promise<void> | undefined

  constructor(settings: Settings, description: JobTableDescription, around: Surroundings) {
    this.#settings = settings
    this.#around = around
    this.#home = description.home.placement
    this.#placement = this.#home
    this.#know(description)
  }

  /** Whether an error may be due to where the table is. */
  mayHaveMoved = (error: unknown): boolean => notSpread.test(sqlState(error) ?? '')

  /**
   * What to tell where such an error came: where the table was distributed meanwhile, that it was; undefined: that was told just now, and
   * each statement fails alike.
   */
  async explained(error: unknown): Promise<unknown> {
    const isKnown = () => performance.now() - this.#movedAt < movedInterval
    if (isKnown()) return undefined
    this.#lookAgain()
    await this.#looking
    const [was, is] = [this.#home, this.#placement].map(shownPlacement)
    if (was === is) return error
    if (isKnown()) return undefined // others have waited for the same look
    this.#movedAt = performance.now()
    const text = `The table was ${was} when the worker started, and is ${is} now: restart the worker. Its jobs stay where they are`
    return new TableMovedError(text, { cause: error })
  }

  /** A row was fetched: it may show that the table's columns have changed. */
  saw(row: object): void {
    const isMended = this.#flaw !== undefined && performance.now() - this.#lookedAt >= mendingInterval
    if (isMended) this.#lookAgain()
    if (this.#settings.select !== undefined) return // such a row does not show them
    const columns = usedColumns.filter((column) => hasColumn(row, column)).join()
    if (columns === this.columns.join() || columns === this.#shape) return
    this.#shape = columns
    this.#lookAgain()
  }

  /**
   * A column was dropped or added: without it the table may still do, and outcomes that wait be written. Resolves when the table
   * was looked at, where that may help.
   */
  async failed(error: unknown): Promise<void> {
    const state = sqlState(error) ?? ''
    if (state !== '42703' && !(archives(this.#settings) && structural.test(state))) return
    this.#lookAgain()
    await this.#looking
  }

  #lookAgain(): void {
    this.#looking ??= this.#around.look().then(
      (description) => this.#know(description),
      (error: unknown) => this.#around.report(error, 'looking at the table again'),
    )
    void this.#looking.finally(() => {
      this.#looking = undefined
    })
  }

  #know({ columns, archive, home }: JobTableDescription): void {
    this.#lookedAt = performance.now()
    this.#placement = home.placement
    this.archive = archive
    this.columns = usedColumns.filter((column) => columns.has(column))
    const { succeeded, finished } = this.#settings
    const flaw = archive === undefined ? 'the archive is gone' : archive.flaw
    this.finished = { succeeded, finished, archive: flaw === undefined ? archive : undefined }
    if (!archives(this.#settings) || flaw === this.#flaw) return
    this.#flaw = flaw
    if (flaw === undefined) return
    const error = new ArchiveFlawError(`${flaw}. Finished jobs stay in their table meanwhile`)
    this.#around.report(error, 'moving jobs to the archive')
  }
}

function shownPlacement(placement: Placement): string {
  if (placement.kind === 'distributed') return `distributed by '${placement.by}'`
  return { local: 'on the server that is asked', 'one node': 'on a node of its own', 'every node': 'on every node' }[
    placement.kind
  ]
}

export function archives({ succeeded, finished }: Settings): boolean {
  return succeeded === 'archive' || finished === 'archive'
}
