import { setTimeout as sleep } from 'node:timers/promises'
import type { Act, Attempt } from './peer.ts'

/** How long an attempt takes that follows a late one: the late one ends before it. */
const afterLate = 2_500

/** What handlers do, in every queue. */
export const acts: Record<Act, (attempt: Attempt) => Promise<unknown>> = {
  work: ({ payload, signal }) => sleep(payload.takes, undefined, { signal }),
  /** Deaf to its signal. */
  late: ({ payload, number }) => sleep(number === 1 ? payload.takes : afterLate),
  exit: async ({ payload }) => {
    await sleep(payload.takes)
    process.exit(1)
  },
  'throw undefined': async () => {
    throw undefined
  },
  'throw a circle': async () => {
    const circle: Record<string, unknown> = { message: 'a circle' }
    circle.self = circle
    throw circle
  },
  'throw a NUL': async () => {
    throw new Error('before \0 after')
  },
  'throw 10 MB': async () => {
    throw new Error('long '.repeat(2 * 2 ** 20))
  },
  'never settle': () => new Promise(() => {}),
  'leave a rejection floating': async ({ payload }) => {
    Promise.reject(new Error('left floating'))
    await sleep(payload.takes)
  },
}
