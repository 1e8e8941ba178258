import type { Postgres } from '../../tools/postgres/start-postgres.ts'
import type { Servers } from './arena.ts'
import type { Random } from './random.ts'

/** What a scenario is given. */
export interface Stage {
  readonly servers: Servers
  /** The switch of the faulty server. */
  readonly server: Pick<Postgres, 'halt' | 'resume'>
  readonly random: Random
  /** How much: `test` is over in seconds, `short` is what CI and a developer run, `long` takes its time. */
  readonly form: Form
  /** Tells what is done to the crew, and when. */
  say(line: string): void
}

export type Form = 'test' | 'short' | 'long'

/** How a run went. */
export interface Result {
  /** What was not held; nothing, where the promise was. */
  readonly breaches: readonly string[]
  /** What was measured, in the order to be shown. */
  readonly figures: Readonly<Record<string, string | number>>
}

/** A promise, and the faults under which it is put. */
export interface Scenario {
  readonly name: string
  readonly promise: string
  run(stage: Stage): Promise<Result>
}

/**
 * A breach where a time was longer than promised. Beside all other tests of a run only what never happens is one: there
 * everything is slow.
 */
export function atMost(form: Form, limit: number, measured: number | undefined, what: string): string[] {
  if (measured !== undefined && (measured <= limit || form === 'test')) return []
  return [`${what}: ${measured === undefined ? 'never' : `${Math.round(measured)} ms`}, promised within ${limit} ms`]
}

export function seconds(milliseconds: number | undefined): string {
  return milliseconds === undefined ? 'never' : `${(milliseconds / 1000).toFixed(2)} s`
}

/** The largest of some times; undefined where one never came. */
export function longest(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce<number | undefined>(
    (most, time) => (most === undefined || time === undefined ? undefined : Math.max(most, time)),
    0,
  )
}
