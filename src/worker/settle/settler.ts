import { setImmediate as nextTurn } from 'node:timers/promises'
import { concernsAll } from '../../pg/error-class.js'
import { fateOf } from '../../queue/finished.js'
import type { LeasedOutcome, Outcome } from '../../queue/outcome.js'
import { valueInKey } from '../../schema/key.js'
import { Pause } from '../../watch/pause.js'
import { ask } from '../ask.js'
import { halves } from '../halves.js'
import type { Attempt } from '../run/attempt.js'
import { outcomeOfError } from '../run/outcome.js'
import type { WorkerScope } from '../scope.js'
import { type Entry, entryOf, groupsOf, isHeavy, takeBatch } from './batch.js'
import { RefusedError } from './refused-error.js'
import { SettleStatement } from './settle-statement.js'
import { tellLost, tellOutcome, warnIfThrown } from './tell.js'
import { type UnwrittenOutcome, unwrittenOutcomes } from './unwritten.js'

/**
 * From so many unwritten outcomes on no handler begins: a database that is slow or away must not leave tens of thousands of
 * jobs done and not written, which a killed process would run again.
 */
const mostUnwritten = 2_000

/** How long (milliseconds) an outcome is put aside whose row was refused, or is locked by somebody, at most; and first where it is locked: a claim that came too late locks it for a moment. */
const [asidePause, lockedPause] = [500, 5]

/**
 * Writes outcomes in micro-batches: those that arrive while one batch is being written go together in the next.
 * What could not be written is tried again while its lease lives; one row that is refused does not hold up others.
 */
export class Settler {
  readonly #scope: WorkerScope
  readonly #settled: (attempt: Attempt) => void
  readonly #wrote: () => void
  readonly #pause = new Pause()
  readonly #settle: SettleStatement
  #pending: Entry[] = []
  /** Entries whose row was refused or locked, each until it is tried again. */
  readonly #aside = new Set<Promise<void>>()
  #flushing: Promise<void> | undefined
  /** Why the last batch could not be written. */
  #failure: unknown
  #closed = false
  #unwritten = 0

  /** @param settled an attempt's outcome is written, or lost @param wrote so are those of a batch */
  constructor(scope: WorkerScope, settled: (attempt: Attempt) => void, wrote: () => void) {
    this.#scope = scope
    this.#settle = new SettleStatement(scope)
    this.#settled = settled
    this.#wrote = wrote
  }

  /** How many outcomes wait to be written. */
  get unwritten(): number {
    return this.#unwritten
  }

  /** So many that no handler may begin. */
  get isFull(): boolean {
    return this.#unwritten >= mostUnwritten
  }

  /** Takes an outcome; it is written as soon as the batch before it is, or by the transaction that holds its row. */
  add(attempt: Attempt, outcome: Outcome): void {
    this.#unwritten += 1
    if (attempt.holder === undefined) this.#push(entryOf(attempt, outcome))
    else attempt.holder.add(attempt, outcome)
  }

  /** Takes outcomes that are written already. */
  wrote(written: readonly (readonly [Attempt, Outcome])[]): void {
    this.#unwritten += written.length
    this.confirm(written)
  }

  /** Takes what the transaction did not write that held their rows. */
  take(unwritten: readonly (readonly [Attempt, Outcome])[]): void {
    for (const [attempt, outcome] of unwritten) this.#push(entryOf(attempt, outcome))
  }

  /** The transaction that held their rows has written these. */
  confirm(written: readonly (readonly [Attempt, Outcome])[]): void {
    for (const [attempt, outcome] of written) this.#end(entryOf(attempt, outcome), outcome)
    this.#wrote()
  }

  #push(entry: Entry): void {
    this.#pending.push(entry)
    this.#flushing ??= this.#flush()
  }

  /** Resolves when everything taken so far is written or lost. */
  async drained(): Promise<void> {
    while (this.#flushing !== undefined || this.#aside.size > 0) await (this.#flushing ?? Promise.race(this.#aside))
  }

  /** Cuts the wait between two tries short. */
  hurry(): void {
    this.#pause.end()
  }

  /** Tries no more: nobody waits any longer for what is not written by now. */
  close(): void {
    this.#closed = true
    this.#pause.end()
  }

  async #flush(): Promise<void> {
    await nextTurn() // outcomes of one turn of the event loop go together
    while (this.#pending.length > 0) {
      const batch = takeBatch(this.#pending).filter((entry) => !this.#isOutdated(entry))
      const unwritten: Entry[] = []
      for (const some of groupsOf(this.#scope.jobs, batch))
        unwritten.push(...(await Promise.all(some.map((group) => this.#write(group)))).flat())
      const alive = unwritten.filter((entry) => this.#mayStillWrite(entry))
      this.#pending.unshift(...alive)
      this.#wrote()
      if (alive.length > 0) await this.#pause.longer(this.#failure)
      else this.#pause.reset()
    }
    this.#flushing = undefined
  }

  /** Writes a group. @returns what has to be tried again */
  async #write(group: readonly Entry[]): Promise<readonly Entry[]> {
    const { jobs, settings } = this.#scope
    try {
      const written = await ask(jobs.db, settings.lease / 3, 'settle', (db) => this.#settle.current(db, group))
      await this.#announce(group, new Set(written))
      return []
    } catch (error) {
      this.#scope.report(error, `writing ${group.length} outcomes`)
      this.#failure = error
      for (const entry of group) entry.of.tried()
      if (concernsAll(error) && !group.some(isHeavy)) return group
      if (group.length > 1) return this.#writeHalves(group)
      for (const entry of group) this.#refused(entry, error)
      return []
    }
  }

  /**
   * The row itself was refused (a CHECK, a trigger): tried again without holding up others, but not for ever,
   * as its lease goes on being renewed. A success that is still refused after a lease becomes a failure that says why.
   * Where it was to go to the archive, it is kept in the table instead.
   */
  #refused(entry: Entry, error: unknown): void {
    const { of: attempt } = entry
    const since = entry.refusedAt ?? performance.now()
    if (!entry.keep && typeof fateOf(entry.kind, this.#scope.finished) === 'object') {
      this.#push({ ...entry, keep: true })
    } else if (performance.now() - since < this.#scope.settings.lease) {
      this.#putAside({ ...entry, refusedAt: since }, asidePause)
    } else if (entry.kind === 'succeeded') {
      const { lease, succeeded } = this.#scope.settings
      const refused = succeeded === 'delete' ? 'the deletion of its row' : 'its success'
      const text = `The handler ended well, but ${refused} was refused for ${lease} ms`
      const failure = outcomeOfError(this.#scope, attempt, new RefusedError(text, { cause: error }))
      this.#push(entryOf(attempt, failure))
    } else {
      this.#lose(attempt, 'its outcome was refused')
    }
  }

  #waitForLock(entry: Entry): void {
    const { locked = 0 } = entry
    this.#putAside({ ...entry, locked: locked + 1 }, Math.min(asidePause, lockedPause * 2 ** locked))
  }

  #putAside(entry: Entry, pause: number): void {
    const over = new Promise<void>((resolve) => setTimeout(resolve, pause))
    const again = over.then(() => {
      this.#aside.delete(again)
      if (this.#mayStillWrite(entry)) this.#push(entry)
      else this.#wrote()
    })
    this.#aside.add(again)
  }

  /**
   * One row was refused: it is found by halving, and the others are written. Where each try takes long (a lock_timeout of
   * seconds, a locked table), this goes on no longer than their leases live.
   */
  async #writeHalves(group: readonly Entry[]): Promise<readonly Entry[]> {
    const unwritten: Entry[] = []
    for (const half of halves(group)) {
      const alive = half.filter((entry) => this.#mayStillWrite(entry))
      if (alive.length > 0) unwritten.push(...(await this.#write(alive)))
    }
    return unwritten
  }

  async #announce(group: readonly Entry[], written: ReadonlySet<LeasedOutcome>): Promise<void> {
    const unwritten = group.filter((entry) => !written.has(entry))
    const known = await unwrittenOutcomes(this.#scope, unwritten).catch((error: unknown) => {
      this.#scope.report(error, 'looking for what became of jobs')
      return new Map<Entry, UnwrittenOutcome>(unwritten.map((entry) => [entry, 'locked'])) // to be tried, and looked for, again
    })
    for (const entry of group) {
      const found = written.has(entry) ? entry : known.get(entry)
      if (found === 'locked') this.#waitForLock(entry)
      else if (found === undefined) this.#lose(entry.of, 'its row was taken, cancelled or deleted before its outcome')
      else {
        if (found !== entry) warnIfThrown(this.#scope, entry)
        this.#end(entry, found)
      }
    }
  }

  #end(entry: Entry, outcome: Outcome): void {
    entry.of.written()
    tellOutcome(this.#scope, entry.of, outcome)
    if (entry.key !== undefined) this.#scope.freedValues?.add(valueInKey(entry.key))
    this.#done(entry.of)
  }

  /**
   * Whether the job has come to this worker anew, maybe by the same attempt number, so that the fence would let the old outcome
   * through. What was to be released has been, as the job could not have come otherwise; any other outcome is lost.
   */
  #isOutdated(entry: Entry): boolean {
    if (entry.of.state !== 'outdated') return false
    if (entry.kind === 'snoozed' || entry.kind === 'released') this.#end(entry, entry)
    else this.#lose(entry.of, 'its row was taken, and has come back to this worker')
    return true
  }

  /**
   * Past its lease, or the end of its worker, an outcome is lost: the job runs again elsewhere. A try that went unanswered may
   * have come through, so it is asked for once more as long; the fence keeps it from writing what is another's.
   */
  #mayStillWrite({ of: attempt }: Entry): boolean {
    const leases = attempt.wasTried ? 2 : 1
    const late = performance.now() - attempt.renewedAt >= this.#scope.settings.lease * leases
    if (!late && !this.#closed) return true
    this.#lose(attempt, `its outcome could not be written ${late ? 'within the lease' : 'before the stop'}`)
    return false
  }

  #lose(attempt: Attempt, why: string): void {
    tellLost(this.#scope, attempt, why)
    this.#done(attempt)
  }

  #done(attempt: Attempt): void {
    this.#unwritten -= 1
    this.#settled(attempt)
  }
}
