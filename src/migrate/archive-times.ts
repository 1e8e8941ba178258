import { type Duration, milliseconds } from '../schema/duration.js'
import type { JobArchiveOptions, Period } from './archive-options.js'
import type { ArchiveTimes } from './keep-archive.js'
import { JobTableOptionError } from './options.js'

const hour = 3600
const seconds = { hour, day: 24 * hour, week: 7 * 24 * hour } as const
const mostPartitions = 1000

/**
 * Reads how an archive is to be kept: what is left out stays as it is.
 * @throws JobTableOptionError, DurationError
 */
export function archiveTimes(
  { every, keep }: Pick<JobArchiveOptions, 'every' | 'keep'>,
  present: Partial<ArchiveTimes>,
): ArchiveTimes {
  const times = {
    every: every === undefined ? (present.every ?? seconds.day) : secondsOf(every, 'every'),
    keep: keep === undefined ? (present.keep ?? 30 * seconds.day) : secondsOf(keep, 'keep'),
  }
  if (times.every < hour || !Number.isInteger(times.every)) {
    throw new JobTableOptionError(`every: ${String(every)} is too short; give at least '1 hour', in whole seconds`)
  }
  if (times.keep < times.every || times.keep / times.every > mostPartitions) {
    const [shownEvery, shownKeep] = [every ?? inHours(times.every), keep ?? inHours(times.keep)].map(String)
    throw new JobTableOptionError(
      `keep: ${shownKeep} is invalid beside every: ${shownEvery}; give at least that, and at most ${mostPartitions} times it`,
    )
  }
  return times
}

const inHours = (time: number): string => `${time / hour} hours (as it is)`

/** @throws JobTableOptionError, DurationError */
function secondsOf(period: Period, name: 'every' | 'keep'): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?) (hour|day|week)s?$/.exec(String(period)) ?? []
  if (amount !== undefined) return Number(amount) * seconds[unit as keyof typeof seconds] // the pattern admits just these
  return milliseconds(period as Duration, name) / 1000 // whatever else it is
}
