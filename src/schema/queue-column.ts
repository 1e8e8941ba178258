import { jobColumnNames, optionalColumnNames } from './columns.js'
import { camelCase } from './row.js'

const names: ReadonlySet<string> = new Set(
  [...jobColumnNames, ...optionalColumnNames].flatMap((name) => [name, camelCase(name)]),
)

/** Whether a column is the queue's, by its name in the database or as CamelCasePlugin makes it. */
export const isQueueColumn = (name: string): boolean => names.has(name)
