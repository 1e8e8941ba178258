import { own } from '../schema/own-names.js'
import { camelCase } from '../schema/row.js'

/** A name for what is ours beside columns of these names, whichever of them a plugin changes. */
export function unusedName(names: readonly string[], wanted: string = own.text): string {
  const used = new Set(names.map(camelCase))
  let name = wanted
  while (used.has(camelCase(name))) name += 'x'
  return name
}
