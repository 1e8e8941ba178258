import { Kysely, type KyselyPlugin, PostgresDialect } from 'kysely'
import type pg from 'pg'

/** What Postgres did for one statement. */
export interface Plan {
  readonly sql: string
  readonly parameters: readonly unknown[]
  /** Shared buffers touched, hit and read. */
  readonly buffers: number
  /** The ways in which tables were read, as `Index Scan: job` or `Seq Scan: level`; what was never executed is left out. */
  readonly scans: readonly string[]
  /** The indexes that were read. */
  readonly indexes: readonly string[]
}

interface Node {
  readonly 'Node Type': string
  readonly 'Actual Loops': number
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly Plans?: readonly Node[]
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
}

/**
 * Runs a verb in a transaction that is rolled back, and tells the plans of the very statements it sends: each is sent
 * to EXPLAIN (ANALYZE, BUFFERS) first, undone, and then run.
 */
export async function plansOf(
  pool: pg.Pool,
  verb: (db: Kysely<any>) => Promise<unknown>,
  plugins: KyselyPlugin[] = [],
): Promise<Plan[]> {
  const client = await pool.connect()
  const plans: Plan[] = []
  const explaining = {
    async query(text: unknown, parameters: unknown[]) {
      // A statement with a name would come as an object: a plan cached for an empty table serves for ever.
      if (typeof text !== 'string') throw new Error('a statement that is prepared by name')
      if (/^(begin|start|set|savepoint|release|commit|rollback)/.test(text)) return { rows: [], command: text }
      plans.push(await explain(client, text, parameters))
      return client.query(text, parameters)
    },
    release() {},
  }
  const onlyClient = { ...pool, connect: async () => explaining } as never // kysely asks no more of a pool
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool: onlyClient }), plugins })
  try {
    await client.query('begin')
    await verb(db)
  } finally {
    await client.query('rollback')
    client.release()
  }
  return plans
}

async function explain(client: pg.PoolClient, sql: string, parameters: unknown[]): Promise<Plan> {
  await client.query('savepoint unexplained')
  const { rows } = await client.query(`explain (analyze, buffers, timing off, format json) ${sql}`, parameters)
  await client.query('rollback to savepoint unexplained')
  const root: Node = rows[0]['QUERY PLAN'][0].Plan
  const indexes = executed(root).flatMap((node) => node['Index Name'] ?? [])
  return {
    sql,
    parameters,
    buffers: root['Shared Hit Blocks'] + root['Shared Read Blocks'],
    scans: [
      ...new Set(executed(root).map((node) => `${node['Node Type']}: ${node['Relation Name'] ?? node['Index Name']}`)),
    ],
    indexes: [...new Set(indexes)],
  }
}

/** The scans of tables and indexes that ran at least once. */
function executed(node: Node): Node[] {
  const own = node['Actual Loops'] > 0 && (node['Relation Name'] ?? node['Index Name']) !== undefined
  return [...(own ? [node] : []), ...(node.Plans ?? []).flatMap(executed)]
}
