import { NoSuchTableError } from '../schema/identify.js'
import { JobTableError } from '../schema/inspect.js'

/** A listed table is gone, has another name now, or is none of jobs any more: what is of other tables is not concerned. */
export const isLost = (error: unknown): error is Error =>
  error instanceof NoSuchTableError || error instanceof JobTableError
