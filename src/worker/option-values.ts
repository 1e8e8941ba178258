import { type Duration, milliseconds } from '../schema/duration.js'
import { shown } from '../schema/shown.js'

/** An option no worker can work with. */
export class WorkerOptionError extends RangeError {
  override readonly name = 'WorkerOptionError'
  readonly code = 'INVALID_OPTION'
}

export function atLeast(least: number, value: unknown, name: string, meaning: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value
  throw new WorkerOptionError(`${name}: ${shown(value)} is invalid; give ${meaning}, at least ${least}`)
}

export function oneOf<Value extends string>(values: readonly Value[], value: unknown, name: string): Value {
  const found = values.find((each) => each === value)
  if (found !== undefined) return found
  throw new WorkerOptionError(`${name}: ${shown(value)} is invalid; give '${values.join("' or '")}'`)
}

export function positive(value: Duration, name: string): number {
  const time = milliseconds(value, name)
  if (time > 0) return time
  throw new WorkerOptionError(`${name}: ${String(value)} is invalid; give more than 0`)
}

export function flag(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw new WorkerOptionError(`${name}: ${shown(value)} is invalid; give true or false`)
}
