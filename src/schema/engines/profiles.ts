import type { Engine } from './engine.js'

/** What an engine can do, and by what it is known. */
export interface Profile {
  readonly can: Omit<Engine, 'version'>
  /** What `version()` says of it; the group is its own version. */
  readonly sentence?: RegExp
  /** A role, or a table of a system schema, that its servers have. */
  readonly mark?: string
  /** The settings by which some of it is switched on; where the server has no such setting, it is off. */
  readonly switches?: Readonly<Partial<Record<'listen' | 'advisoryLocks', string>>>
}

/** PostgreSQL 14 to 18, by our own tests. */
export const postgres = {
  can: {
    name: 'PostgreSQL',
    skipLocked: true,
    listen: true,
    advisoryLocks: true,
    triggers: 'statement',
    transitionTables: true,
    volatileInUpdate: true,
    enums: true,
    partialIndexes: true,
    preparedStatements: true,
    statistics: true,
    heap: true,
  },
} as const satisfies Profile

/**
 * By the documentation of v26.3 ("PostgreSQL compatibility") and what is open in its repository in November 2026: LISTEN (issue 41522),
 * REFERENCING of triggers (135655). `FOR UPDATE SKIP LOCKED` is there, and slow where many rows are locked. Advisory locks were stubs that lock
 * nothing up to v26.2; v26.3 has those of transactions (pull request 168353), which the option `engine` may say.
 */
const cockroach: Profile = {
  can: {
    ...postgres.can,
    name: 'CockroachDB',
    listen: false,
    advisoryLocks: false,
    triggers: 'row',
    transitionTables: false,
    statistics: false,
    heap: false,
  },
  sentence: /^CockroachDB .*?\bv(\d[\w.-]*)/,
}

/**
 * By the documentation of v2025.2 (stable): LISTEN is early access since 2025.2.3 and off by default ("LISTEN, NOTIFY, and UNLISTEN"), CREATE
 * TRIGGER has no REFERENCING, advisory locks are on by default ("yb-tserver flags") and were a preview before 2025.1.
 */
const yugabyte: Profile = {
  can: { ...postgres.can, name: 'YugabyteDB', transitionTables: false, heap: false },
  sentence: /^PostgreSQL \d[\d.]*-YB-(\d[\w.-]*)/,
  switches: { listen: 'yb_enable_listen_notify', advisoryLocks: 'yb_enable_advisory_locks' },
}

/**
 * By the user guide of November 2026 ("Unsupported PostgreSQL features", "Supported SQL"): no triggers, no CREATE TYPE, FOR UPDATE with
 * equality on the whole primary key alone. Its locks are optimistic: whoever is late gets 40001. Partial indexes are refused (0A000). It says
 * `PostgreSQL 16` of itself, and has a schema `sys`.
 */
const dsql: Profile = {
  can: {
    ...postgres.can,
    name: 'Aurora DSQL',
    skipLocked: false,
    listen: false,
    advisoryLocks: false,
    triggers: 'none',
    transitionTables: false,
    enums: false,
    partialIndexes: false,
    statistics: false,
    heap: false,
  },
  mark: 'sys.iam_pg_role_mappings',
}

/** By the documentation of November 2026: PostgreSQL 14 to 18 with a columnar engine beside. Its managed pooler is another port (6432). */
const alloy: Profile = { can: { ...postgres.can, name: 'AlloyDB' }, mark: 'alloydbsuperuser' }

/** By the documentation of 2026-11-26 ("Connection pooling"): PostgreSQL with storage of its own; a pooler where the host has `-pooler` in it. */
const neon: Profile = { can: { ...postgres.can, name: 'Neon' }, mark: 'neon_superuser' }

/** By the documentation of November 2026 ("Connect to your database"): PostgreSQL; a pooler in transaction mode on port 6543. */
const supabase: Profile = { can: { ...postgres.can, name: 'Supabase' }, mark: 'supabase_admin' }

/** By the documentation of November 2026 ("PgBouncer"): PostgreSQL; a pooler in transaction mode on port 6432. */
const planetScale: Profile = { can: { ...postgres.can, name: 'PlanetScale Postgres' }, mark: 'pscale_superuser' }

/** All that are known but Citus, which is an extension. The first that fits is it. */
export const profiles: readonly Profile[] = [
  ...[cockroach, yugabyte, dsql, alloy, neon, supabase, planetScale],
  { ...postgres, sentence: /^PostgreSQL (\d[\w.]*)/ },
]

/** Forks that call themselves PostgreSQL, and of which we know nothing. */
export const otherForks =
  /\b(?:Redshift|Greenplum|Cloudberry|Materialize|RisingWave|QuestDB|openGauss|GaussDB|CrateDB|CedarDB)\b/i

export const profileMarks: readonly string[] = profiles.flatMap(({ mark }) => mark ?? [])
export const profileSettings: readonly string[] = profiles.flatMap(({ switches }) => Object.values(switches ?? {}))
