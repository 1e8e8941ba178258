import type { Outcome } from '../../queue/outcome.js'
import { Pause } from '../../watch/pause.js'
import type { Ended } from '../hold/write-held.js'
import { outcomeOfError } from '../run/outcome.js'
import type { WorkerScope } from '../scope.js'
import { type Entry, entryOf } from '../settle/batch.js'
import { RefusedError } from '../settle/refused-error.js'
import type { Settler } from '../settle/settler.js'
import { tellLost } from '../settle/tell.js'
import { type UnwrittenOutcome, unwrittenOutcomes } from '../settle/unwritten.js'

/**
 * Ends attempts of which nobody knows whether the commit of their outcomes came through. Where it did not, what the handler wrote
 * is not there, so that no success may be written: of a claim that was rolled back nothing may, as the next claim of its worker
 * looks the same; by a lease the attempt has failed.
 */
export async function lookUp(
  scope: WorkerScope,
  settler: Settler,
  ended: readonly Ended[],
  isHeld: boolean,
): Promise<void> {
  for (const [attempt, { kind }] of ended) {
    attempt.tried()
    if (kind === 'succeeded') attempt.complete()
  }
  const entries = ended.map(([attempt, outcome]) => entryOf(attempt, outcome))
  const known = await knownOf(scope, entries)
  const failure = new RefusedError('The handler ended well, but there was no answer to the commit of its transaction')
  for (const entry of entries) {
    const { of: attempt } = entry
    const found: Outcome | 'locked' | undefined = known === undefined ? 'locked' : known.get(entry)
    if (found === undefined || (found === 'locked' && isHeld)) tellLost(scope, attempt, lost)
    else if (!attempt.end()) continue
    else if (found === 'locked') settler.add(attempt, outcomeOfError(scope, attempt, failure))
    else settler.wrote([[attempt, found]])
  }
}

const lost = 'there was no answer to the commit of its transaction, and its outcome is not there'

/** @returns undefined where nobody was to be asked for a lease */
async function knownOf(
  scope: WorkerScope,
  entries: readonly Entry[],
): Promise<ReadonlyMap<Entry, UnwrittenOutcome> | undefined> {
  const pause = new Pause()
  const end = performance.now() + scope.settings.lease
  while (performance.now() < end) {
    try {
      return await unwrittenOutcomes(scope, entries)
    } catch (error) {
      scope.report(error, 'looking for what became of jobs')
      await pause.longer(error)
    }
  }
  return undefined
}
