import { job } from './column.js'

/** What a statement is to notify, once it commits. */
export interface Notice {
  readonly channel: string
  readonly payload: string
}

/** Notifies, as a side effect of the select that it stands in. */
export function notified({ channel, payload }: Notice) {
  return job.fn<string>('pg_notify', [job.val(channel), job.val(payload)])
}
