import { CompiledQuery } from 'kysely'
import { textOfTransaction } from '../pg/whole-transaction.js'
import type { Jobs } from '../schema/job-database.js'
import { quotedName, type TableName } from '../schema/names.js'
import { unlessUndone } from '../schema/undone.js'

/**
 * The transaction of a claim by keys. Where anything is limited, all who claim jobs of the table wait for each other until it ends, by a
 * lock that is taken in a statement of its own: the next one sees what those before have claimed. Taken within the claim, it would see
 * what was when it began to wait. The server ends what waits or says nothing for too long: a worker that the network has cut off must not
 * hold up the others, nor waits of this one take all its connections.
 */
export interface ClaimTransaction {
  /** The table, where its claims have to wait for each other. */
  readonly limited: TableName | undefined
  /** Of a distributed table: only those of the same value have to. */
  readonly value?: string
  /** The table is on a node that is not the server which is asked. Default false. */
  readonly isElsewhere?: boolean
  /** Milliseconds that it may wait or say nothing. */
  readonly silence: number
}

/** Runs a claim as a transaction of a connection; again where others undo it. */
export function inClaim<Result>(
  connection: Jobs['db'],
  transaction: ClaimTransaction,
  claim: () => Promise<Result>,
): Promise<Result> {
  return unlessUndone(connection, () => claimOnce(connection, transaction, claim))
}

async function claimOnce<Result>(
  connection: Jobs['db'],
  transaction: ClaimTransaction,
  claim: () => Promise<Result>,
): Promise<Result> {
  const say = (text: string) => connection.executeQuery(CompiledQuery.raw(text))
  try {
    await say(begin(transaction))
    const result = await claim()
    await say('commit')
    return result
  } catch (error) {
    await say('rollback').catch(() => {}) // whatever it says, the first error is why
    throw error
  }
}

/** A claim and its transaction as one message, for the connections of a guarded pool. */
export function inOneMessage<Row>(query: CompiledQuery<Row>, transaction: ClaimTransaction): CompiledQuery<Row> {
  const whole = { begin: begin(transaction), statement: query.sql, end: 'commit' }
  return { ...query, sql: textOfTransaction(whole) }
}

/** In one message, as each waits for its answer. */
function begin(transaction: ClaimTransaction): string {
  const { limited, silence, value, isElsewhere } = transaction
  const bounds = ['idle_in_transaction_session_timeout', 'lock_timeout', 'statement_timeout']
  const settings = [
    ...(isElsewhere ? [toNodes] : []),
    ...bounds.map((name) => `${name} = ${Math.ceil(silence)}`),
    ...byIndex,
    ...(value === undefined ? [genericPlan] : []),
  ]
  const lock = `select pg_advisory_xact_lock(hashtextextended(${literal(lockName(transaction))}, 0))`
  return [
    'begin isolation level read committed',
    ...settings.map((setting) => `set local ${setting}`),
    ...(limited === undefined ? [] : [lock]),
  ].join('; ')
}

/** What is set from then on is set on the nodes too. */
const toNodes = `citus.propagate_set_commands = 'local'`

/** Each step of the walk is one along an index, whatever the statistics say. Where there is none, what costs so much would be compiled (600 ms). */
const byIndex = ['enable_seqscan = off', 'enable_bitmapscan = off', 'jit = off']

/** To plan a claim takes longer than to run it, and with the values at hand no plan is better. But Citus finds the node of a value by the value. */
const genericPlan = 'plan_cache_mode = force_generic_plan'

const lockName = ({ limited, value }: ClaimTransaction): string =>
  `kysely-jobs claim ${limited && quotedName(limited)}${value === undefined ? '' : ` ${value}`}`

const literal = (text: string): string => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
