import { mayPass } from '../../pg/error-class.js'
import type { RowKey } from '../../queue/fenced.js'
import type { WorkerScope } from '../scope.js'

/**
 * Claims the job that is first, alone. Where the table refuses its claim (a CHECK made since, a trigger), it is passed over.
 * @param fetch claims that one; undefined: none was found
 * @returns undefined where it was refused
 */
export async function claimFirst<Claimed>(
  { passedOver, report }: WorkerScope,
  find: () => Promise<RowKey | undefined>,
  fetch: (row: RowKey | undefined) => Promise<Claimed>,
): Promise<Claimed | undefined> {
  const row = await find()
  try {
    return await fetch(row)
  } catch (error) {
    if (row === undefined || mayPass(error)) throw error
    passedOver.add([row])
    report(error, `claiming job ${row.id}, which is passed over for ${Math.round(passedOver.time / 1000)} s`)
    return undefined
  }
}
