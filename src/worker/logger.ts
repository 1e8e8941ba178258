/** Pino's shape, which winston, bunyan and others share: an object of facts, then a sentence. */
export interface Logger {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

/** Where no logger is given: warnings and errors go to the console, so that a newcomer sees what goes wrong. */
export const consoleLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: (facts, message) => console.warn(message, facts),
  error: (facts, message) => console.error(message, facts),
}

/** The same logger, but one that throws hurts nobody. */
export function harmless(logger: Logger): Logger {
  const level = (name: keyof Logger) => (facts: object, message: string) => {
    try {
      logger[name](facts, message)
    } catch {
      // there is nowhere left to tell it
    }
  }
  return { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') }
}
