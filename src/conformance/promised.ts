import type { Home } from '../schema/engine.js'
import type { Scene } from './scene.js'

/**
 * What became of a promise:
 * - holds: it is as it was promised.
 * - polled: it holds, by polling.
 * - absent: the server has not what it takes.
 * - broken: it does not hold, or it could not be found out in time.
 */
export type Verdict = 'holds' | 'polled' | 'absent' | 'broken'

/** A promise that holds in another way than on Postgres, or not. */
export interface Otherwise {
  readonly verdict: 'polled' | 'absent'
  readonly reason: string
}

/** Something that this package promises, and how it is tried. */
export interface Promised {
  readonly name: string
  /** In a sentence, to whoever relies on it. */
  readonly says: string
  /** Why a server can't have it, by what it can do; undefined: it can. */
  readonly absent?: (home: Home) => string | undefined
  /** Tries it. @throws BrokenError, or whatever the server says */
  readonly run: (scene: Scene) => Promise<Otherwise | undefined>
}

/** Whether rows of one tenant may be on several nodes: what holds for jobs of one value then holds for no tenant. */
export const isScattered = ({ placement }: Home): boolean =>
  placement.kind === 'distributed' && placement.by !== 'tenant_id'

/** What became of one. */
export interface Judged {
  readonly name: string
  readonly promise: string
  readonly verdict: Verdict
  /** Where it does not hold as on Postgres. */
  readonly reason?: string
  /** Milliseconds. */
  readonly took: number
}
