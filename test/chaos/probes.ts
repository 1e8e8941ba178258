import type { Kysely } from 'kysely'

/** How often, at least, and how patiently a listener is probed; milliseconds. */
export interface ProbeTimes {
  readonly period: number
  readonly patience: number
}

/**
 * Has the listener of a source probed more often than by default, which no option offers: who asks for it first says
 * how often, and the workers of this process share it.
 */
export async function probeOften(db: Kysely<any>, source: string, times: ProbeTimes): Promise<void> {
  // of the package that this process runs: a second copy would have listeners of its own
  const file = new URL('watch/shared-listener.js', import.meta.resolve('kysely-jobs'))
  const { sharedListener }: typeof import('../../src/watch/shared-listener.ts') = await import(file.href)
  sharedListener(db, source, times)
}
