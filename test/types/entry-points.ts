import type * as jobs from 'kysely-jobs'
import type * as ihp from 'kysely-jobs/ihp'
import type * as migrate from 'kysely-jobs/migrate'
import type * as pg from 'kysely-jobs/pg'
import type * as queue from 'kysely-jobs/queue'

/** What a user imports is there, and typed. */
export type EntryPoints = [
  keyof typeof jobs,
  keyof typeof ihp,
  keyof typeof migrate,
  keyof typeof pg,
  keyof typeof queue,
]
