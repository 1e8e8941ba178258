import {
  type DatabaseConnection,
  type Dialect,
  DummyDriver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  Transaction,
} from 'kysely'
import type { JobDatabase, Jobs } from '../../schema/job-database.js'

/** A statement that came when its batch was over, or had not ended by then: it would be written outside of the batch's transaction. */
export class LateStatementError extends Error {
  override readonly name = 'LateStatementError'
  readonly code = 'BATCH_OVER'

  constructor(what: string) {
    super(`${what}; await each statement in the handler`)
  }
}

/** A transaction that is given away, until it is taken back. */
export interface Lent {
  readonly trx: Transaction<JobDatabase>
  /** How many statements have not ended. */
  readonly underWay: number
  /** What the first statement threw that failed. */
  readonly failure: unknown
  /** From now on it refuses every statement, those as well that were asked for and not sent yet. */
  takeBack(): void
}

/**
 * Lends a transaction to a handler, which may go on after its timeout, or have forgotten to await a statement: sent after the
 * ROLLBACK or the COMMIT, that would be a transaction of its own.
 */
export function lendTransaction(whole: Jobs['db']): Lent {
  let isOver = false
  const lent: { underWay: number; failure: unknown } = { underWay: 0, failure: undefined }
  const streams = new Set<() => Promise<unknown>>()
  const takeBack = () => {
    isOver = true
    for (const close of streams) close().catch(() => {})
  }
  const refuseLate = () => {
    if (isOver)
      throw new LateStatementError('The transaction of this batch is over: its handler has ended, or its time has')
  }
  const executor = whole.getExecutor()
  const guarded = executor.withConnectionProvider({
    provideConnection: async (use) => {
      refuseLate()
      lent.underWay += 1
      try {
        return await executor.provideConnection((connection) => {
          refuseLate() // others were before it
          const closed = Promise.withResolvers<never>()
          const opened = (stream: AsyncIterator<unknown>) =>
            streams.add(async () => {
              await stream.return?.()
              closed.reject(new LateStatementError('A stream was open when its batch was over'))
            })
          return Promise.race([use(streaming(connection, opened)), closed.promise])
        })
      } catch (error) {
        lent.failure ??= error
        throw error
      } finally {
        lent.underWay -= 1
      }
    },
  })
  const trx = new Transaction<JobDatabase>({
    config: { dialect },
    dialect,
    driver: new DummyDriver(),
    executor: guarded,
  })
  return Object.assign(lent, { trx, takeBack })
}

/** A connection that tells of each stream: one that is left open keeps everybody else from it. */
function streaming(
  connection: DatabaseConnection,
  opened: (stream: AsyncIterator<unknown>) => void,
): DatabaseConnection {
  return new Proxy(connection, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== 'streamQuery') return value.bind(target)
      return (...given: unknown[]) => {
        const stream = value.apply(target, given)
        opened(stream)
        return stream
      }
    },
  })
}

/** Of a transaction, whose statements all go by its executor, nobody asks for a driver. */
const dialect: Dialect = {
  createAdapter: () => new PostgresAdapter(),
  createDriver: () => new DummyDriver(),
  createIntrospector: (db) => new PostgresIntrospector(db),
  createQueryCompiler: () => new PostgresQueryCompiler(),
}
