import { Cron } from 'croner'
import { type Duration, DurationError, milliseconds } from '../schema/duration.js'
import { shown } from '../schema/shown.js'

/** When a schedule is to fire: at the times of a cron expression, or again and again after the same time. */
export type Recurrence =
  | {
      /**
       * Five fields, or six with seconds in front; names, `L`, `W`, `#`, and `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
       * @example '0 3 * * *'
       */
      readonly cron: string
      /** The zone in which it is read, as IANA calls it: `'Europe/Berlin'`. Default `'UTC'`. */
      readonly timeZone?: string | undefined
      readonly every?: never
    }
  | {
      /** The time from one slot to the next, counted from the last slot; at least a second. The first comes so long after it is declared. */
      readonly every: Duration
      readonly cron?: never
      readonly timeZone?: never
    }

/** A recurrence as it is kept. */
export interface KeptRecurrence {
  readonly cron: string | null
  readonly timeZone: string | null
  /** Milliseconds. */
  readonly every: number | null
}

/** The slots of a recurrence. */
export interface Slots {
  /** The slot that follows a slot, or any time; undefined: none does. */
  after(slot: Date): Date | undefined
  /** The latest slots, at most so many, from one of them up to a time; in their order. */
  upTo(time: Date, from: Date, most: number): Date[]
}

/** A schedule that is invalid, or is not there. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError'
  readonly code: 'INVALID_SCHEDULE' | 'NO_SUCH_SCHEDULE'

  constructor(code: ScheduleError['code'], message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}

const shortestInterval = 1_000

/** What comes at all comes once in 400 years, after which the calendar repeats itself. */
const anyTime = new Date(Date.UTC(2000, 0))

/**
 * Reads a recurrence.
 * @throws ScheduleError for an expression that can't be read or never comes, and for an unknown time zone; DurationError
 */
export function keptRecurrence({ cron, timeZone, every }: Recurrence): KeptRecurrence {
  if ((cron === undefined) === (every === undefined)) {
    throw invalid("give either cron ('0 3 * * *') or every ('15m')")
  }
  if (cron === undefined) {
    if (timeZone !== undefined) throw invalid('timeZone is for cron: what comes every so often knows no zone')
    const interval = milliseconds(every ?? Number.NaN, 'every')
    if (interval < shortestInterval || !Number.isInteger(interval)) {
      throw new DurationError(`every: ${shown(every)} is invalid; give at least 1 s, in whole milliseconds`)
    }
    return { cron: null, timeZone: null, every: interval }
  }
  const kept = { cron, timeZone: timeZone ?? 'UTC', every: null }
  if (cronSlots(kept.cron, kept.timeZone).after(anyTime) === undefined) {
    throw invalid(`cron: ${shown(cron)} never comes: there is no such day in any year`)
  }
  return kept
}

/** @throws ScheduleError where a cron expression can't be read */
export function slotsOf({ cron, timeZone, every }: KeptRecurrence): Slots {
  return cron === null ? intervalSlots(every ?? Number.NaN) : cronSlots(cron, timeZone ?? 'UTC')
}

function intervalSlots(every: number): Slots {
  return {
    after: (slot) => new Date(slot.getTime() + every),
    upTo(time, from, most) {
      const last = Math.floor((time.getTime() - from.getTime()) / every)
      const first = Math.max(0, last - most + 1)
      return Array.from(
        { length: Math.max(0, last - first + 1) },
        (_, n) => new Date(from.getTime() + (first + n) * every),
      )
    },
  }
}

/**
 * Both changes of daylight saving are croner's, in the rule nearest to Vixie's cron: an expression without `*` and steps in
 * minutes and hours means times of the day. One that the clock leaps over comes when the clock has leapt; one that it shows
 * twice comes once. All other expressions go by what the clock shows.
 */
function cronSlots(cron: string, timeZone: string): Slots {
  const pattern = readCron(cron, timeZone)
  const after = (slot: Date) => pattern.nextRun(slot) ?? undefined
  return {
    after,
    upTo(time, from, most) {
      const found: Date[] = []
      for (let slot: Date | undefined = from; slot !== undefined && slot <= time; slot = after(slot)) {
        found.push(slot)
        if (found.length > most) return latestOf(pattern, time, most)
      }
      return found
    },
  }
}

/** Those up to a time; croner gives those before a second, the latest first. */
function latestOf(pattern: Cron, time: Date, most: number): Date[] {
  const next = Math.floor(time.getTime() / 1_000) * 1_000 + 1_000
  return pattern.previousRuns(most, new Date(next)).reverse()
}

const nicknames: readonly string[] = ['@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually']

function readCron(cron: unknown, timeZone: unknown): Cron {
  if (typeof cron !== 'string' || !(cron.trim().startsWith('@') || /\s/.test(cron.trim()))) {
    throw invalid(`cron: ${shown(cron)} is no cron expression; give five fields, as in '0 3 * * *', six, or '@daily'`)
  }
  const fields = cron.trim().split(/\s+/)
  if (fields[0]?.startsWith('@') && !nicknames.includes(cron.trim().toLowerCase())) {
    throw invalid(`cron: ${shown(cron)} is unknown; of names there are ${nicknames.join(', ')}`)
  }
  if (!fields[0]?.startsWith('@') && (fields.length < 5 || fields.length > 6)) {
    throw invalid(
      `cron: ${shown(cron)} has ${fields.length} fields; give five (minute, hour, day of the month, month, day of the week), or six with seconds in front`,
    )
  }
  if (typeof timeZone !== 'string' || !isTimeZone(timeZone)) {
    throw invalid(`timeZone: ${shown(timeZone)} is unknown; give a name of IANA, as in 'Europe/Berlin'`)
  }
  try {
    return new Cron(cron, { timezone: timeZone, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard', paused: true })
  } catch (cause) {
    throw invalid(
      `cron: ${shown(cron)} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    )
  }
}

/** Offsets ('+02:00') are none: they know no daylight saving, and not every Node reads them. */
function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return /^[A-Za-z]/.test(name)
  } catch {
    return false
  }
}

const invalid = (text: string, cause?: unknown): ScheduleError => new ScheduleError('INVALID_SCHEDULE', text, cause)
