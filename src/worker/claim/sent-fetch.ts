import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Since } from '../../queue/claim.js'
import { inTime } from '../../watch/deadline.js'
import type { Claimed } from './claimed.js'

/** A fetch that was sent. */
export interface SentFetch {
  readonly limit: number
  readonly since: Since | undefined
  /** Monotonic milliseconds. */
  readonly sent: number
  /** Its statement is on its way: where it is to be held, after those that begin its transaction. */
  readonly departed: Promise<void>
  /** Undefined: nothing was claimed, and the next fetch is to be another. */
  readonly claimed: Promise<Claimed | undefined>
}

/** How long (milliseconds) jobs wait for that at most: the network may be slow, or others have all connections. */
const longestWait = 5

/**
 * Resolves when the next fetch is on its way, so that Postgres works at it while handlers run: these may be many and quick, and as long
 * as they run nothing else is sent.
 * @param holdFor for how long (milliseconds) the jobs that wait may be held: they wait for a quarter of it at most
 */
export async function onItsWay(fetch: SentFetch, holdFor: number): Promise<void> {
  await inTime(fetch.departed, Math.min(longestWait, holdFor / 4))
  await nextTurn() // what was asked for is written at the end of this one
}
