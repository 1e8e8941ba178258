import type { Engine } from './engine.js'

/**
 * How a trigger tells of inserts: once a statement; once a statement too, but by the rows of it, as in partitions none of its statements is
 * seen; once a row; or not at all.
 */
export type InsertTrigger = 'statement' | 'earliest row' | 'row' | 'none'

/** A trigger where nobody hears what it notifies would only be in the way: an engine without LISTEN may refuse `pg_notify`, and the insert with it. */
export function insertTriggerOf({ listen, triggers, transitionTables }: Engine, isPartitioned = false): InsertTrigger {
  if (!listen || triggers === 'none') return 'none'
  if (triggers === 'row' || !transitionTables) return 'row'
  return isPartitioned ? 'earliest row' : 'statement'
}

/** What an engine lacks of what a queue asks of it, with the remedy: each goes on from the name of a table. */
export function adviceOnEngine(engine: Engine): string[] {
  const { name, skipLocked, listen, advisoryLocks, triggers, partialIndexes } = engine
  const lacks = (what: string) => `is on ${name}, which has no ${what}`
  const sentences = [
    !skipLocked && `${lacks('FOR UPDATE SKIP LOCKED')}, by which jobs are claimed: no worker starts there`,
    !listen &&
      `${lacks('LISTEN')}, so new jobs are found by polling only: leave listen out, and give workers the pollInterval that jobs may wait`,
    listen &&
      triggers === 'none' &&
      `${lacks('triggers for it')}, so new jobs are found by polling only: call notifyWorkers after the commit, and workers that listen are woken at once`,
    insertTriggerOf(engine) === 'row' &&
      `${lacks('transition tables')}, so its trigger runs for each row of an insert: for imports of many rows leave the triggers out (notify: 'none'), and call notifyWorkers after the commit`,
    !advisoryLocks &&
      `${lacks('advisory locks')}, by which limits are kept over all workers: leave limit, rate and fifo out, and let handlers complete in read committed transactions`,
    !partialIndexes &&
      `${lacks('partial indexes')}, so each index holds finished jobs too: take them out of the table (succeeded: 'delete', pruneJobs)`,
  ]
  return sentences.filter((sentence) => sentence !== false)
}
