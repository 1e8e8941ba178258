import type { ClientConfig, Pool } from 'pg'

/** A pool keeps its password out of sight of a spread. */
export function poolConfig({ options }: Pool): ClientConfig {
  const { password } = options
  return password === undefined ? { ...options } : { ...options, password }
}
