import { type AliasableExpression, type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { type JobStatus, pendingStatuses, unfinishedStatuses } from '../schema/statuses.js'
import { column, job } from './column.js'

/**
 * A status as a literal: with a parameter a generic plan can't prove the partial index and reads the table
 * (142,900 buffers against 20). Statuses are our own constants, never input.
 */
export const statusLiteral = (status: JobStatus): RawBuilder<JobStatus> => sql.lit(status)

/** Whether the status is one of a few. @example db.selectFrom('jobs').where(hasStatus(['job_status_failed'])) */
export function hasStatus(statuses: readonly JobStatus[], table?: string): AliasableExpression<SqlBool> {
  if (statuses.length === 0) return job.lit(false) // `in ()` is no SQL
  return isOneOf(column('status', table), statuses)
}

function isOneOf(status: Expression<unknown>, statuses: readonly JobStatus[]): AliasableExpression<SqlBool> {
  return sql<SqlBool>`${status} in (${sql.join(statuses.map(statusLiteral))})`
}

/** Waiting for a claim: not started, or in retry. @example db.selectFrom('jobs').where(isPending()) */
export function isPending(table?: string): AliasableExpression<SqlBool> {
  return hasStatus(pendingStatuses, table)
}

/** The same of a status that no name tells. */
export const isPendingStatus = (status: Expression<unknown>) => isOneOf(status, pendingStatuses)

/** Waiting or running. @example db.selectFrom('jobs').where(isUnfinished()) */
export function isUnfinished(table?: string): AliasableExpression<SqlBool> {
  return hasStatus(unfinishedStatuses, table)
}

/** Held by a worker. @example db.selectFrom('jobs').where(isRunning()) */
export function isRunning(table?: string): AliasableExpression<SqlBool> {
  return hasStatus(['job_status_running'], table)
}

/**
 * At its end. Said by what it is not, so that a table with the seed's six values, where the word
 * `job_status_cancelled` would be an error, is served by the same statement and the same index.
 * @example db.selectFrom('jobs').where(isFinal())
 */
export function isFinal(table?: string): AliasableExpression<SqlBool> {
  return sql<SqlBool>`${column('status', table)} not in (${sql.join(unfinishedStatuses.map(statusLiteral))})`
}
