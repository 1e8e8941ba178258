import type { ViewColumn } from './view.js'

/** What the queue has of a handler: values of the user's may be in it. Lists and pages are made of its other columns. */
const ofHandlers: readonly string[] = ['last_error', 'errors', 'result']

/** Whether a table can be shown without a column. */
export const isHideable = ({ name, isOfQueue }: ViewColumn): boolean => !isOfQueue || ofHandlers.includes(name)

/** What can be hidden, for an error. */
export const hideRemedy = `hide columns of your own, ${ofHandlers.join(', ')}`
