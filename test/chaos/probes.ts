import type { Kysely } from 'kysely'
import { sharedListener } from '../../src/watch/shared-listener.ts'

/** How often, at least, and how patiently a listener is probed; milliseconds. */
export interface ProbeTimes {
  readonly period: number
  readonly patience: number
}

/**
 * Has the listener of a source probed more often than by default, which no option offers: who asks for it first says
 * how often, and the workers of this process share it.
 */
export function probeOften(db: Kysely<any>, source: string, times: ProbeTimes): void {
  sharedListener(db, source, times)
}
