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
  for (let at = 0; at < jobs.length; at += step, count++) sum += sizeOf(jobs[Math.floor(at)])
  return leastSize + sum / Math.max(1, count)
}

/** Of a value that can't be serialized (a type parser of the user's may make anything), that of its parts. */
function sizeOf(value: unknown, depth = 0): number {
  try {
    return serialize(value).byteLength
  } catch {
    if (typeof value !== 'object' || value === null || depth > 2) return 0
    return Object.values(value).reduce((sum: number, part) => sum + sizeOf(part, depth + 1), 0)
  }
}
