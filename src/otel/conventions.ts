import type { Attributes } from '@opentelemetry/api'
import { sqlState } from '../pg/error-class.js'

/** By which tracers and meters know us. */
export const scopeName = 'kysely-jobs'

/** What an operation is, by OpenTelemetry's conventions for messaging (1.43, in development). */
export type Operation = 'send' | 'receive' | 'process' | 'settle'

const system = { 'messaging.system': 'kysely-jobs' }

/** What spans and metrics of an operation on a table have in common. */
export function attributesOf(operation: Operation, table: string): Attributes {
  return {
    ...system,
    'messaging.operation.name': operation,
    'messaging.operation.type': operation,
    'messaging.destination.name': table,
  }
}

/** Bounds (seconds) of the durations of operations, as the conventions advise. */
export const operationBounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/** Bounds (seconds) of waits: powers of four, from 1 ms to a day and more. */
export const waitBounds = Array.from({ length: 15 }, (_, power) => 4 ** power / 1000)

/** What the conventions call an error that has no other name. */
const other = '_OTHER'

/** The class of an error: of what Postgres says its SQLSTATE, as the driver calls all of them `error`. What is thrown may throw where it is touched. */
export function errorTypeOf(error: unknown): string {
  try {
    const state = sqlState(error)
    if (state !== undefined) return state
    return error instanceof Error && typeof error.name === 'string' && error.name.length < 100 ? error.name : other
  } catch {
    return other
  }
}

/** So many types of errors are told apart by metrics: handlers may give their errors a name each. */
const mostTypes = 100

/** Attributes of metrics by the type of an error, made once for each. */
export function failedAttributes(attributes: Attributes): (errorType: string) => Attributes {
  const made = new Map<string, Attributes>()
  const make = (errorType: string) => {
    const failed = { ...attributes, 'error.type': errorType }
    made.set(errorType, failed)
    return failed
  }
  const of = (errorType: string) => made.get(errorType) ?? make(errorType)
  return (errorType) => (made.has(errorType) || made.size < mostTypes ? of(errorType) : of(other))
}
