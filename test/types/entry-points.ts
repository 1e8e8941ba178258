import type * as jobs from 'kysely-jobs'
import type * as migrate from 'kysely-jobs/migrate'

/** What a user imports is there, and typed. */
export type EntryPoints = [keyof typeof jobs, keyof typeof migrate]
