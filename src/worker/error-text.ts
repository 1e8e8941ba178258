import { inspect } from 'node:util'

/** The longest `last_error` that is written: enough for a stack, too little to bloat the table. */
export const maxErrorLength = 8_000

/** A cause may be its own cause. */
const maxCauses = 5

/**
 * What a handler threw, as text that Postgres can hold and a person can read: whatever it is, circular, hostile
 * or huge. An error's message stands first, its causes and stack follow.
 */
export function errorText(thrown: unknown): string {
  const text = attemptAt(() => describe(thrown)) ?? 'An error that can not be described was thrown'
  const storable = text
    .slice(0, maxErrorLength * 2)
    .replaceAll('\0', '\uFFFD')
    .toWellFormed()
  if (storable.length <= maxErrorLength) return storable
  return `${storable.slice(0, maxErrorLength - 30).toWellFormed()} ... (${text.length} characters)`
}

function describe(thrown: unknown, depth = 0): string {
  if (thrown instanceof Error) return describeError(thrown, depth)
  if (typeof thrown === 'string') return thrown
  return `A value that is no error was thrown: ${inspect(thrown, { depth: 3, breakLength: 120, maxStringLength: maxErrorLength })}`
}

function describeError(error: Error, depth: number): string {
  const message = attemptAt(() => `${error.name}: ${String(error.message)}`) ?? 'An error without a readable message'
  const stack = attemptAt(() => String(error.stack ?? ''))
  const frames = stack
    ?.split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 20)
    .join('\n')
  const cause = depth < maxCauses ? attemptAt(() => error.cause) : undefined
  const because =
    cause === undefined ? '' : `\ncaused by ${attemptAt(() => describe(cause, depth + 1)) ?? 'an unreadable cause'}`
  return `${message}${because}${frames ? `\n${frames}` : ''}`
}

/** Getters of a thrown value may throw themselves. */
function attemptAt<Value>(read: () => Value): Value | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
