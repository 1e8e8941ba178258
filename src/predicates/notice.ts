import { fullQueue } from '../schema/names.js'
import { job } from './column.js'

/** What a statement is to notify, once it commits. */
export interface Notice {
  readonly channel: string
  readonly payload: string
}

/** Notifies, as a side effect of the select that it stands in; not where the server's queue is nearly full. */
export function notified({ channel, payload }: Notice) {
  return job
    .case()
    .when(job.fn<number>('pg_notification_queue_usage'), '<', job.lit(fullQueue))
    .then(job.fn<string>('pg_notify', [job.val(channel), job.val(payload)]))
    .end()
}
