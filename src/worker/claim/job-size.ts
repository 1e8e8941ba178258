import { serialize } from 'node:v8'

/** So many jobs of a fetch are measured: enough for an average. */
const sampled = 8

/** What a job takes at least, in bytes: its object and its dates. */
const leastSize = 500

/** The average size of jobs in bytes, by a few of them, evenly spread; what they take in memory is of that order. */
export function averageSize(jobs: readonly object[]): number {
  const step = Math.max(1, jobs.length / sampled)
  let sum = 0
  let count = 0
  for (let at = 0; at < jobs.length; at += step, count++) sum += sizeOfParts(jobs[Math.floor(at)])
  return leastSize + sum / Math.max(1, count)
}

function sizeOfParts(value: object | undefined, depth = 0): number {
  return Object.values(value ?? {}).reduce((sum: number, part) => sum + sizeOf(part, depth), 0)
}

/** To serialize takes long, in which a job that came alone would wait: only what holds more is measured so. */
function sizeOf(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null || value instanceof Date) return 8
  if (ArrayBuffer.isView(value)) return value.byteLength
  try {
    return serialize(value).byteLength
  } catch {
    return depth > 2 ? 0 : sizeOfParts(value, depth + 1) // a type parser of the user's may make anything
  }
}
