import type { Expression, SqlBool } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import type { KeptLimits } from '../queue/allowance.js'
import type { Claim, Keyed } from '../queue/claim.js'
import { adviceOnCondition } from '../queue/condition-index.js'
import { adviceOnKey } from '../queue/key-advice.js'
import { proveKeyed } from '../queue/keyed-fetch.js'
import { missingColumns, realNames } from '../queue/returned.js'
import { isSpread } from '../queue/spread-keys.js'
import type { JobTableDescription } from '../schema/inspect.js'
import { type Jobs, jobsOfValue } from '../schema/job-database.js'
import { quoted, quotedName } from '../schema/names.js'
import { keptLimits } from './kept-limits.js'
import { archives } from './known-table.js'
import { WorkerOptionError } from './option-values.js'
import type { Settings } from './options.js'
import { refuseEngine } from './unfit-engine.js'
import { refusePlacement } from './unfit-placement.js'
import { adviceOnLimits } from './unheeded-limits.js'

/** What a worker's options find in the database. */
export interface Fitted {
  /** What the table lacks for them and does not need, a sentence each. */
  readonly advice: readonly string[]
  /** The same of what makes the worker slow, or have no effect, and so is not to be missed. */
  readonly warnings: readonly string[]
  readonly kept: KeptLimits | undefined
}

/**
 * Refuses options that do not fit the real table.
 * @throws EngineError, WorkerOptionError with the remedy, SideTableError; whatever else the database says
 */
export async function fitted(settings: Settings, real: JobTableDescription, jobs: Jobs): Promise<Fitted> {
  refuseEngine(settings, real, jobs.name)
  refusePlacement(settings, real, jobs)
  refuseFinished(settings, real, jobs.name)
  refuseColumns(settings, real, jobs)
  refuseAging(settings, real, jobs.name)
  const { where, lease } = settings
  const keyed = settings.keyed && isSpread(jobs, settings.keyed) ? undefined : settings.keyed
  const claim = { columns: [...real.columns.keys()], where, lease }
  const advice: (string | undefined)[] = []
  if (where !== undefined) {
    await proveCondition(jobs, where)
    advice.push(await adviceOnCondition(jobs, { ...claim, keyed }, real.table))
  }
  const warnings: (string | undefined)[] = []
  let kept: KeptLimits | undefined
  if (keyed !== undefined) {
    refuseKey(keyed, real, jobs)
    kept = await keptLimits(keyed, jobs, real)
    await proveKey(jobsOfValue(jobs, null), { ...claim, keyed: { ...keyed, kept } })
    warnings.push(await adviceOnKey(jobs, keyed, real.table))
  } else warnings.push(await adviceOnLimits(jobs, real.table))
  return { advice: advice.filter(isThere), warnings: warnings.filter(isThere), kept }
}

const isThere = (sentence: string | undefined) => sentence !== undefined

/** A key is what jobs are counted by: one that is null would be of nobody. */
function refuseKey({ by, max }: Keyed, real: JobTableDescription, jobs: Jobs): void {
  const all = typeof max === 'object' ? [...by, max.column] : by
  const missing = missingColumns(jobs, all, real.columns)
  if (missing.length > 0) {
    const list = [...real.columns.keys()].join(', ')
    throw new WorkerOptionError(`${keyOptions}: ${jobs.name} has no column '${missing[0]}'; there are ${list}`)
  }
  const count = typeof max === 'object' ? real.columns.get(realNames(jobs, [max.column])[0] ?? '') : 'integer'
  if (!/^(?:smallint|integer|bigint)$/.test(count ?? ''))
    throw new WorkerOptionError(
      `limit.max: '${all.at(-1)}' of ${jobs.name} is of type ${count}; give an integer column`,
    )
  const nullable = realNames(jobs, all).find((name) => real.nullable.has(name))
  if (nullable === undefined) return
  throw new WorkerOptionError(
    `${keyOptions}: '${nullable}' of ${jobs.name} may be null, and a key never is; let a migration say: alter table ${quotedName(real.table)} alter column ${quoted(nullable)} set not null`,
  )
}

const keyOptions = 'limit, rate, fifo, fairBy'

/** A key of a type that Postgres can't order, say. */
async function proveKey(jobs: Jobs, claim: Claim & { readonly keyed: Keyed }): Promise<void> {
  try {
    await proveKeyed(jobs, claim)
  } catch (error) {
    if (!/^(?:0A|22|42)/.test(sqlState(error) ?? '')) throw error
    const text = error instanceof Error ? error.message : String(error)
    throw new WorkerOptionError(`${keyOptions}: Postgres refuses the key: ${text}`)
  }
}

/** A condition that Postgres would refuse with each look. */
async function proveCondition(jobs: Jobs, where: Expression<SqlBool>): Promise<void> {
  try {
    await jobs.db.selectFrom(jobs.asJob).select('id').where(where).limit(0).execute()
  } catch (error) {
    if (!/^(?:22|42)/.test(sqlState(error) ?? '')) throw error
    const text = error instanceof Error ? error.message : String(error)
    throw new WorkerOptionError(`where: Postgres refuses the condition: ${text}`)
  }
}

function refuseColumns(settings: Settings, real: JobTableDescription, jobs: Jobs): void {
  const missing = missingColumns(jobs, settings.select ?? [], real.columns)
  if (missing.length === 0) return
  const names = missing.map((name) => `'${name}'`).join(', ')
  throw new WorkerOptionError(
    `select: ${jobs.name} has no column ${names}; there are ${[...real.columns.keys()].join(', ')}`,
  )
}

function refuseAging({ priorityAging }: Settings, { columns }: JobTableDescription, table: string): void {
  if (priorityAging === undefined || columns.has('priority')) return
  throw new WorkerOptionError(
    `priorityAging: ${table} has no column 'priority'; let a migration call addJobColumns(db, '${table}', { columns: ['priority'] }) and createJobIndexes(db, '${table}'), or leave the option out`,
  )
}

/** Rows are to leave the table, and can't. */
function refuseFinished(settings: Settings, { archive, mayDelete }: JobTableDescription, table: string): void {
  const { succeeded, finished } = settings
  const option = finished === 'archive' ? `finished: '${finished}'` : `succeeded: '${succeeded}'`
  if (succeeded === 'keep' && finished === 'keep') return
  if (archives(settings) && archive === undefined) {
    throw new WorkerOptionError(`${option}: ${table} has no archive; createJobArchive, in a migration, makes it`)
  }
  if (archives(settings) && archive?.flaw !== undefined) throw new WorkerOptionError(`${option}: ${archive.flaw}`)
  if (mayDelete) return
  throw new WorkerOptionError(
    `${option}: this role may not delete from ${table}; grant it DELETE (with row-level security by a policy too), or leave the option out`,
  )
}
