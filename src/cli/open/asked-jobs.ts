import type { Filter } from '../../observe/filter.js'
import { parseFilter } from '../../observe/filter-text.js'
import { nearest } from '../../observe/nearest.js'
import { type ShownState, shownStates } from '../../observe/shown-state.js'
import type { JobView } from '../../observe/view.js'
import { OptionError } from '../terminal.js'

/** Which jobs options ask for. */
export interface AskedJobs {
  readonly state?: readonly string[] | undefined
  readonly where?: readonly string[] | undefined
  readonly error?: string | undefined
}

/** The states that are named; undefined: none is. @throws OptionError */
export function statesIn({ state: given = [] }: AskedJobs): ShownState[] | undefined {
  const names = given.flatMap((text) => text.split(',')).map((name) => name.trim())
  const states = names.map((name) => {
    const found = shownStates.find((state) => state.toLowerCase() === name.toLowerCase().replaceAll(/[_ -]/g, ''))
    if (found !== undefined) return found
    const near = nearest(name, shownStates)
    const remedy = near === undefined ? `there are ${shownStates.join(', ')}` : `did you mean ${near}?`
    throw new OptionError(`--state: there is no state ${name}; ${remedy}`)
  })
  return states.length === 0 ? undefined : states
}

/** The filters that are written. @throws FilterError */
export function filtersIn(view: JobView, { where = [] }: AskedJobs): Filter[] {
  return where.map((text) => parseFilter(view, text))
}
