/** What a database server can do, as far as a queue asks it to. */
export interface Engine {
  /** As people call it: `PostgreSQL`, `Citus`. */
  readonly name: string
  /** As the server says it. */
  readonly version: string
  /** `FOR UPDATE SKIP LOCKED`: claims pass over what others are claiming. */
  readonly skipLocked: boolean
  /** LISTEN hears what other sessions notify. */
  readonly listen: boolean
  readonly advisoryLocks: boolean
  /** The finest triggers that a job table may have. */
  readonly triggers: 'statement' | 'row' | 'none'
  /** Statement triggers see the rows of their statement. */
  readonly transitionTables: boolean
  /** Functions that are volatile (`clock_timestamp()`) may stand in an UPDATE. */
  readonly volatileInUpdate: boolean
  readonly enums: boolean
  readonly partialIndexes: boolean
  readonly preparedStatements: boolean
  /** The planner's statistics can be read together with the catalog. */
  readonly statistics: boolean
  /** Rows are kept as PostgreSQL keeps them: pages have a fillfactor and are vacuumed, and an index is in order unless it says otherwise. */
  readonly heap: boolean
}

/** What of an engine the user says is otherwise. */
export type EngineOptions = { readonly [Name in keyof Engine]?: Engine[Name] | undefined }
