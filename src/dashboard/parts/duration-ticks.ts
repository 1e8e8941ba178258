const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000]

/** Distances of ticks that people read at once: parts of ten below a second, and whole units above. */
const steps = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((count) => count * second),
  ...[1, 2, 5, 10, 20, 30].map((count) => count * minute),
  ...[1, 2, 3, 6, 12].map((count) => count * hour),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000].map((count) => count * day),
]

const mostSteps = 5

/** The ticks of an axis of durations (milliseconds), from 0 to the first that is not below the highest. */
export function durationTicks(highest: number): number[] {
  const step = steps.find((each) => highest <= each * mostSteps) ?? Math.ceil(highest / mostSteps / day) * day
  const count = Math.max(1, Math.ceil(highest / step))
  return Array.from({ length: count + 1 }, (_, n) => n * step)
}
