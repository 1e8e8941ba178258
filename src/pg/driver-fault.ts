/** What node-postgres itself has to say of a connection. */
export type DriverFault =
  | 'connection ended'
  | 'connect timeout'
  | 'pool timeout'
  | 'query timeout'
  | 'no password'
  | 'no SSL'

/**
 * The texts of node-postgres' own errors. This is the only place in which words of errors are compared: they have no
 * code, and are constants of its source, the same since pg 8.11 and in every language, as a server's messages are not.
 */
const texts: ReadonlyMap<string, DriverFault> = new Map([
  ['Connection terminated', 'connection ended'],
  ['Connection terminated unexpectedly', 'connection ended'],
  ['Client has encountered a connection error and is not queryable', 'connection ended'],
  ['Client was closed and is not queryable', 'connection ended'],
  ['Cannot use a pool after calling end on the pool', 'connection ended'],
  ['There was an error establishing an SSL connection', 'connection ended'],
  ['Connection terminated due to connection timeout', 'connect timeout'],
  ['timeout expired', 'connect timeout'],
  ['timeout exceeded when trying to connect', 'pool timeout'],
  ['Query read timeout', 'query timeout'],
  ['Password must be a string', 'no password'],
  ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', 'no password'],
  ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a non-empty string', 'no password'],
  ['The server does not support SSL connections', 'no SSL'],
])

/** Which of its own faults an error of node-postgres tells; undefined for any other error. */
export function driverFault(error: unknown): DriverFault | undefined {
  return error instanceof Error && !('code' in error) ? texts.get(error.message) : undefined
}
