import { isLimited } from '../queue/claim.js'
import { refuseUnknown } from '../schema/engines/recognize.js'
import type { JobTableDescription } from '../schema/inspect.js'
import { WorkerOptionError } from './option-values.js'
import type { Settings } from './options.js'

/**
 * Refuses an engine on which no worker can work, and options that it can't keep.
 * @throws EngineError, WorkerOptionError with the remedy
 */
export function refuseEngine(settings: Settings, { home }: JobTableDescription, table: string): void {
  const { engine } = home
  const { engine: given, listen, keyed } = settings
  refuseUnknown(engine, given)
  const lacks = (what: string) => `${table} is on ${engine.name}, which has no ${what}`
  if (!engine.skipLocked)
    throw new WorkerOptionError(
      `${lacks('FOR UPDATE SKIP LOCKED')}: without it two workers would claim the same job; keep the jobs on a server that has it, or say engine: { skipLocked: true } where this one does`,
    )
  if (listen !== undefined && !engine.listen)
    throw new WorkerOptionError(
      `listen: ${lacks('LISTEN')}, so it has no effect; leave it out, and give the pollInterval that jobs may wait, or say engine: { listen: true } where it is switched on`,
    )
  if (keyed !== undefined && isLimited(keyed) && !engine.advisoryLocks)
    throw new WorkerOptionError(
      `limit, rate, fifo: ${lacks('advisory locks')}, by which they are kept over all workers; leave them out, or say engine: { advisoryLocks: true } where it has them`,
    )
}
