import { CompiledQuery } from 'kysely'
import type { Jobs } from '../../schema/job-database.js'
import { inTime } from '../../watch/deadline.js'

/**
 * The server ends a transaction from which it hears nothing: as long as this process is alive it hears something, however long
 * a handler is busy elsewhere.
 *
 * @param period milliseconds
 * @param failed is told what the server, or the network, answers in place of yes
 * @returns ends it; resolves when none is under way
 */
export function keepAwake(trx: Jobs['db'], period: number, failed: (error: unknown) => void): () => Promise<void> {
  let sent: Promise<unknown> | undefined
  const say = () => {
    sent ??= trx
      .executeQuery(CompiledQuery.raw('select'))
      .catch(failed)
      .finally(() => {
        sent = undefined
      })
  }
  const timer = setInterval(say, period)
  return async () => {
    clearInterval(timer)
    if (sent !== undefined) await inTime(sent, period)
  }
}
