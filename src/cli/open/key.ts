import { parseFilter } from '../../observe/filter-text.js'
import type { JobView } from '../../observe/view.js'
import { OptionError } from '../terminal.js'

/** Values of columns, as they are written; undefined: the whole table is meant. */
export type GivenKey = Readonly<Record<string, string>> | undefined

/** The key that `--where column=value` says, once for each column. @throws FilterError, OptionError */
export function keyIn(view: JobView, where: readonly string[] = []): GivenKey {
  const key = new Map<string, string>()
  for (const text of where) {
    const { column, path, operator, values } = parseFilter(view, text)
    if (operator !== '=' || path !== undefined)
      throw new OptionError(`--where ${text}: a key is of columns and their values: write column=value`)
    if (key.has(column))
      throw new OptionError(`--where ${text}: a key has one value of ${column}: give them one by one`)
    key.set(column, values[0] ?? '')
  }
  return key.size === 0 ? undefined : Object.fromEntries(key)
}

/** To the verbs' types there is no column of a user's own. */
export const whereOf = (key: GivenKey) => (key === undefined ? {} : { where: key as Record<never, never> }) // checked there
