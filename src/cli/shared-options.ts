/** What each command takes that asks a database. */
export const databaseOptions = {
  url: { type: 'string' },
  config: { type: 'string' },
  schema: { type: 'string' },
  json: { type: 'boolean' },
} as const

/** What those take that show times. */
export const timeOptions = { utc: { type: 'boolean' } } as const

/** Which jobs are meant. */
export const filterOptions = {
  table: { type: 'string' },
  state: { type: 'string', multiple: true },
  where: { type: 'string', multiple: true },
  error: { type: 'string' },
} as const

/** The same of what changes jobs: it has to be said which, all of them too. */
export const selectionOptions = {
  ...filterOptions,
  id: { type: 'string', multiple: true },
  all: { type: 'boolean' },
  yes: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
} as const
