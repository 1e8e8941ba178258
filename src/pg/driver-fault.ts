/**
 * What node-postgres itself has to say of a connection, by the texts of its errors. This is the only place in which words
 * of errors are compared: they have no code, and are constants of its source, the same since pg 8.11 and in every
 * language, as a server's messages are not.
 */
const faults = {
  'connection ended': [
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'Cannot use a pool after calling end on the pool',
    'There was an error establishing an SSL connection',
  ],
  'connect timeout': ['Connection terminated due to connection timeout', 'timeout expired'],
  'pool timeout': ['timeout exceeded when trying to connect'],
  'query timeout': ['Query read timeout'],
  'no password': [
    'Password must be a string',
    'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string',
    'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a non-empty string',
  ],
  'no SSL': ['The server does not support SSL connections'],
}

/** Which of its own faults an error of node-postgres tells; undefined for any other error. */
export function driverFault(error: unknown): keyof typeof faults | undefined {
  if (!(error instanceof Error) || 'code' in error) return undefined
  const found = Object.entries(faults).find(([, texts]) => texts.includes(error.message))
  return found?.[0] as keyof typeof faults | undefined // its key
}
