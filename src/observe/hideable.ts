import type { JobView, ViewColumn } from './view.js'

/** What the queue has of a handler: values of the user's may be in it. Lists and pages are made of its other columns. */
const ofHandlers: readonly string[] = ['last_error', 'errors', 'result']

/** Whether a table can be shown without a column. */
export const isHideable = ({ name, isOfQueue }: ViewColumn): boolean => !isOfQueue || ofHandlers.includes(name)

/** What can be hidden, for an error. */
export const hideRemedy = `hide columns of your own, ${ofHandlers.join(', ')}`

/** The view of a table without some of its columns. Where its key is made of one of them, jobs are told by their ids alone: a key says what is in it. */
export function hiding(view: JobView, hidden: ReadonlySet<string>): JobView {
  const { columns, keyed, key } = view
  const isTold = !keyed.some(({ name }) => hidden.has(name))
  return { ...view, columns: columns.filter(({ name }) => !hidden.has(name)), key: isTold ? key : undefined }
}
