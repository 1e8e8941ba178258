import { inspect } from 'node:util'
import { ConnectionError } from '../../pg/connection-error.js'
import { shown } from '../../schema/shown.js'
import { withoutSecrets } from './mask-secrets.js'

/** The longest `last_error` that is written: enough for a stack, too little to bloat the table. */
export const maxErrorLength = 8_000

/** A cause may be its own cause. */
const maxCauses = 5

/** What makes an error's text. `job` is undefined for an error that is not of one job. */
export type DescribeError<Job> = (error: unknown, job: Job | undefined) => string

/**
 * What a handler threw, as text that Postgres can hold and a person can read: whatever it is, circular, hostile
 * or huge. An error's message stands first, its causes and stack follow.
 */
export function errorText(thrown: unknown): string {
  return bounded(attemptAt(() => describe(thrown)) ?? 'An error that can not be described was thrown')
}

/**
 * The user's own way to describe errors, as one that always gives a text that can be stored. Where it fails, nothing
 * of the error is told but its name: what it was to hide, nobody else can know.
 */
export function describedBy(describeError: DescribeError<object>): (error: unknown, job?: object) => string {
  return (error, job) => {
    try {
      const text: unknown = describeError(error, job)
      if (typeof text === 'string') return bounded(text)
      return `${nameOf(error)}: left out, as describeError() gave ${shown(text)} in place of a text`
    } catch (failure) {
      return `${nameOf(error)}: left out, as describeError() threw ${nameOf(failure)}`
    }
  }
}

function bounded(text: string): string {
  const storable = withoutSecrets(text.slice(0, maxErrorLength * 2))
    .replaceAll('\0', '\uFFFD')
    .toWellFormed()
  if (storable.length <= maxErrorLength) return storable
  return `${storable.slice(0, maxErrorLength - 30).toWellFormed()} ... (${text.length} characters)`
}

function nameOf(thrown: unknown): string {
  return attemptAt(() => thrown instanceof Error && bounded(String(thrown.name))) || 'A value that is no error'
}

function describe(thrown: unknown, depth = 0): string {
  if (thrown instanceof Error) return describeOne(thrown, depth)
  if (typeof thrown === 'string' && thrown.trim() !== '') return thrown
  return `A value that is no error was thrown: ${inspected(thrown)}`
}

function inspected(value: unknown): string {
  return inspect(value, { depth: 3, breakLength: 120, maxStringLength: maxErrorLength })
}

/** What an error has where it should have a text. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : inspected(value)
}

function describeOne(error: Error, depth: number): string {
  const message =
    attemptAt(() => `${textOf(error.name)}: ${textOf(error.message)}`) ?? 'An error without a readable message'
  if (error instanceof ConnectionError) return message // it says what is wrong and what to do; where it came from helps nobody
  const stack = attemptAt(() => String(error.stack ?? ''))
  const frames = stack
    ?.split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 20)
    .join('\n')
  const because = depth < maxCauses ? causesOf(error).map((cause) => `\ncaused by ${describeCause(cause, depth)}`) : []
  return `${message}${because.join('')}${frames ? `\n${frames}` : ''}`
}

function describeCause(cause: unknown, depth: number): string {
  return attemptAt(() => describe(cause, depth + 1)) ?? 'an unreadable cause'
}

/** An AggregateError says nothing itself: so it is of a host with two addresses where neither answers. */
function causesOf(error: Error): unknown[] {
  const cause = attemptAt(() => (error.cause === error ? undefined : error.cause))
  const errors = attemptAt(() => (error instanceof AggregateError ? error.errors.slice(0, maxCauses) : [])) ?? []
  return cause === undefined ? errors : [cause, ...errors]
}

/** Getters of a thrown value may throw themselves. */
function attemptAt<Value>(read: () => Value): Value | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
