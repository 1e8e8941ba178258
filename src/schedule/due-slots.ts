import type { Slots } from './recurrence.js'

/**
 * What becomes of slots that nobody fired in time, as no runner was there. `once`: one job, for the latest of them; where a
 * slot is due just then, its job makes up for them. `skip`: no job. `all`: a job for each, the latest 1,000.
 */
export type Missed = 'skip' | 'once' | 'all'

/** A slot counts as missed when it is so many milliseconds late: what a restart or a failover takes is none. */
export const grace = 60_000

/** The most jobs of one firing. */
const mostSlots = 1_000

/** What is to be fired of a schedule. */
export interface DueSlots {
  /** The slots that get a job, in their order. */
  readonly slots: readonly Date[]
  /** The slot to wait for; undefined: none comes any more. */
  readonly next: Date | undefined
  /** The first slot that gets none, where some get none; and how many these are: counted up to 1,000. */
  readonly passedOver: Date | undefined
  readonly passedOverCount: number
}

/**
 * Which of the slots that have come by now are fired.
 * @param next the first that has not been looked at
 */
export function dueSlots(slots: Slots, next: Date, now: Date, missed: Missed): DueSlots {
  const due = slots.upTo(now, next, mostSlots)
  const [first, last] = [due[0], due.at(-1)]
  if (first === undefined || last === undefined) return { slots: [], next, ...none }
  const fired = firedOf(due, now, missed)
  // All that are fired are the latest, so the first that is not is the first of all.
  const isWhole = fired.length === due.length && first.getTime() === next.getTime()
  const left = isWhole ? none : { passedOver: next, passedOverCount: countOf(slots, next, fired[0], now) }
  return { slots: fired, next: slots.after(last), ...left }
}

/** Where each slot gets a job. */
export const none = { passedOver: undefined, passedOverCount: 0 } as const

/** The slots from the first one on, before another or up to now. Of a second's slots there may be millions, so it stops somewhere. */
function countOf(slots: Slots, first: Date, before: Date | undefined, now: Date): number {
  let count = 0
  for (let slot: Date | undefined = first; slot !== undefined && slot <= now; slot = slots.after(slot)) {
    if (count === mostSlots || (before !== undefined && slot >= before)) break
    count++
  }
  return count
}

function firedOf(due: readonly Date[], now: Date, missed: Missed): readonly Date[] {
  if (missed === 'all') return due
  const inTime = due.filter((slot) => now.getTime() - slot.getTime() <= grace)
  return inTime.length > 0 || missed === 'skip' ? inTime : due.slice(-1)
}
