import { WorkerOptionError } from './option-values.js'

/** Pino's shape, which winston, bunyan and others share: an object of facts, then a sentence. */
export interface Logger {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

/** Writes nothing, and is known for it: nobody makes lines that it would drop. */
export const silent = (): void => {}

/** Where no logger is given: warnings and errors go to the console, so that a newcomer sees what goes wrong. */
export const consoleLogger: Logger = {
  debug: silent,
  info: silent,
  warn: (facts, message) => console.warn(...lineOf(facts, message)),
  error: (facts, message) => console.error(...lineOf(facts, message)),
}

/** One line, where there is nothing to tell but the table, which the message names, and an error of one line. */
function lineOf(facts: object, message: string): unknown[] {
  const { table, error = '', ...more } = facts as { readonly table?: unknown; readonly error?: unknown } // as lines of ours have them
  if (Object.keys(more).length > 0 || typeof error !== 'string' || error.includes('\n')) return [message, facts]
  return [error === '' ? message : `${message}: ${error}`]
}

/** The same logger, but swallows what it throws. */
export function harmless(logger: Logger): Logger {
  const level = (name: keyof Logger) => {
    if (logger[name] === silent) return silent
    return (facts: object, message: string) => {
      try {
        const answer: unknown = logger[name](facts, message)
        if (answer instanceof Promise) answer.catch(() => {}) // as below
      } catch {
        // there is nowhere left to tell it
      }
    }
  }
  return { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') }
}

/** @throws WorkerOptionError */
export function loggerOf(value: unknown): Logger {
  const lacks = ['debug', 'info', 'warn', 'error'].filter(
    (level) => typeof Reflect.get(Object(value), level) !== 'function',
  )
  if (lacks.length === 0) return harmless(value as Logger) // it has the four methods
  throw new WorkerOptionError(
    `logger: lacks ${lacks.map((level) => `${level}()`).join(', ')}; give pino's shape: debug, info, warn, error (facts, message)`,
  )
}
