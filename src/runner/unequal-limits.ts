import type { Keyed } from '../queue/claim.js'
import { writtenName } from '../schema/identify.js'
import type { RunnableWorker } from './runner-options.js'

/** Tables of which workers have different limits: a sentence for each. */
export function adviceOnWorkers(workers: readonly Pick<RunnableWorker, 'table' | 'db' | 'keyed'>[]): string[] {
  const tables = Map.groupBy(workers, ({ db, table }) => JSON.stringify(writtenName(db, table)))
  return [...tables.values()].flatMap((ofTable) => {
    const limits = [...new Set(ofTable.map(({ keyed }) => textOf(keyed)))]
    if (limits.length === 1) return []
    return [
      `workers of ${ofTable[0]?.table} have different limits (${limits.join('; ')}), and each claims by its own, so that none of them holds: give all workers of a table the same limit, rate and fifo`,
    ]
  })
}

/** What all workers of a table are to have in common, as the options say it. */
function textOf({ by, max, total, rate, totalRate, order }: Partial<Keyed> = {}): string {
  const key = by?.length === 1 ? by[0] : by
  const parts = {
    limit: max !== undefined ? { by: key, max: typeof max === 'object' ? max.column : max } : total && { max: total },
    rate: rate !== undefined ? { by: key, ...rate } : totalRate,
    fifo: order && key,
    onFailure: order,
  }
  const given = Object.entries(parts).filter(([, value]) => value !== undefined)
  return given.length === 0 ? 'none' : given.map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(', ')
}
