import type { EngineOptions } from '../schema/engines/engine.js'
import { engineFlaw } from '../schema/engines/given.js'
import { WorkerOptionError } from './option-values.js'

/** The value of the option `engine`. @throws WorkerOptionError */
export function saidOf(value: unknown): EngineOptions | undefined {
  if (value === undefined) return undefined
  const flaw = engineFlaw(value)
  if (flaw !== undefined) throw new WorkerOptionError(`engine${flaw}`)
  return { ...(value as EngineOptions) } // by that; later changes of it are not ours
}
