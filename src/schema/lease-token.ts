import { randomUUID } from 'node:crypto'

/**
 * What a worker of ours writes into `locked_by`: its id, a uuid of version 8 that says all that whoever rescues the row must
 * know, `LLLLLLLL-6b6a-8xxx-[89ab]xxx-xxxxxxxxxxxM`. L is the worker's lease in milliseconds, `6b6a` marks the id as ours,
 * and M tells how the claim came: `0` plainly, `1` to `9` after so many interruptions in a row (taken over from dead
 * workers), `f` ahead of free slots. Handlers and enqueuers can't write it.
 */
export const markPattern = '^[0-9a-f]{8}-6b6a-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{11}([0-9f])$'

/** The lease of a token of ours, in hexadecimal. */
export const leasePattern = '^([0-9a-f]{8})-6b6a-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{11}[0-9f]$'

/** Every M, in the order of {@link tokensOf}. */
const marks = [...'0123456789f'] as const

/** Interruptions are counted up to here. */
export const mostInterruptions = 9

/** The places (from 1, as SQL counts) of two marks in {@link tokensOf}. */
export const plainPlace = 1
export const aheadPlace = marks.length

/** The id of a new worker, whose lease is so many milliseconds long (at most 49 days). */
export function newWorkerId(lease: number): string {
  const length = Math.ceil(lease).toString(16).padStart(8, '0')
  return `${length}-6b6a-8${randomUUID().slice('xxxxxxxx-xxxx-4'.length, -1)}${marks[0]}`
}

/** All values of `locked_by` that stand for the same worker: of one that is not ours just its id. */
export function tokensOf(worker: string): readonly string[] {
  return markOf(worker) === undefined ? [worker] : marks.map((mark) => worker.slice(0, -1) + mark)
}

/** The worker that a row's `locked_by` stands for, as it calls itself. */
export function workerOf(lockedBy: string): string {
  return tokensOf(lockedBy)[0] ?? lockedBy
}

/** How often in a row a claimed job was taken over from a worker that was gone, before this claim. */
export function interruptionsOf(lockedBy: unknown): number {
  return interruptionsAt(markOf(lockedBy))
}

/** The same, by a token's last digit. */
export function interruptionsAt(mark = 'f'): number {
  return mark === 'f' ? 0 : Number(mark)
}

const token = new RegExp(markPattern)

/** The last digit of a token; undefined where it is none. */
function markOf(lockedBy: unknown): string | undefined {
  return typeof lockedBy === 'string' ? token.exec(lockedBy)?.[1] : undefined
}
