import type { Action } from './access.js'
import type { ListedTable } from './options.js'
import type { Visit } from './parts/page.js'

/** There is no such thing, whose kind the text is. */
export class Missing extends Error {
  override readonly name = 'Missing'
}

/** The viewer may not do this. */
export class Forbidden extends Error {
  override readonly name = 'Forbidden'
}

/** It can't be done; the text says why. */
export class Refused extends Error {
  override readonly name = 'Refused'
}

/**
 * A listed table that the viewer sees, and with which they may do so.
 * @throws Missing, for one that they don't see as for one that there is not; Forbidden
 */
export function tableFor({ site, viewer }: Visit, name: string | undefined, action: Action = 'view'): ListedTable {
  const table = name === undefined ? undefined : site.settings.tables.get(name)
  if (table === undefined || !viewer.may('view', table.name)) throw new Missing('table')
  if (!viewer.may(action, table.name)) throw new Forbidden()
  return table
}
