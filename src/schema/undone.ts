import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from './error-code.js'

/** How often what others undo is tried: by a deadlock, or as they wrote what it read. */
const mostTries = 5

/** The longest wait (milliseconds) before the third try, at random; each later one may be twice as long. The second comes at once. */
const firstWait = 10

/** What others undo: nothing is left of it. In a transaction of the user's only a deadlock: its snapshot stays too old. */
const undone = /^40(?:P01|001)$/
const undoneWithin = /^40P01$/

/** What is said in a transaction that has failed: the error before is why. */
const hasFailed = '25P02'

/**
 * Runs a statement, or a transaction of our own, again where others undo it. In a transaction of the user's that is their error, but for a
 * deadlock of what has a savepoint.
 * @param savepoint in a transaction: whether only as much as the statement is undone
 */
export async function unlessUndone<Result>(
  { isTransaction = false }: { readonly isTransaction?: boolean },
  statement: () => Promise<Result>,
  savepoint = false,
): Promise<Result> {
  if (isTransaction && !savepoint) return statement()
  const passing = isTransaction ? undoneWithin : undone
  let before: unknown
  for (let tries = 1; ; tries++) {
    try {
      return await statement()
    } catch (error) {
      if (before !== undefined && codeOf(error) === hasFailed) throw before
      if (tries === mostTries || !passing.test(codeOf(error))) throw error
      before = error
      if (tries > 1) await sleep(Math.random() * firstWait * 2 ** (tries - 2))
    }
  }
}
