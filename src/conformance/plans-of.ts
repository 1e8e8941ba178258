import { Kysely, PostgresDialect, type PostgresPool } from 'kysely'
import type pg from 'pg'
import type { SuiteDatabase } from './suite-table.js'

/** How the server runs a statement. */
export interface Plan {
  readonly statement: string
  /** Pages that it touched. */
  readonly buffers: number
  /** The tables that it read as a whole. */
  readonly whole: readonly string[]
}

/** Before a statement: it is run, and its plan told. */
export const explaining = 'explain (analyze, buffers, timing off, format json)'
const planning = 'explain (format json)'

/** The plans of the statements that a verb sends: each is run by EXPLAIN first, and all are undone. */
export async function plansOf(
  pool: pg.Pool,
  schema: string,
  verb: (db: Kysely<SuiteDatabase>) => Promise<unknown>,
): Promise<Plan[]> {
  const client = await pool.connect()
  const plans: Plan[] = []
  const query = async (text: string, parameters: unknown[]) => {
    plans.push(await explained(client, text, parameters))
    return client.query(text, parameters)
  }
  const onlyClient = { connect: async () => ({ query, release: () => {} }), end: async () => {}, options: {} }
  const only = onlyClient as unknown as PostgresPool // kysely asks no more of a pool, and sends no cursor here
  const db = new Kysely<SuiteDatabase>({ dialect: new PostgresDialect({ pool: only }) }).withSchema(schema)
  try {
    await client.query('begin')
    await verb(db)
  } finally {
    await client.query('rollback').finally(() => client.release())
  }
  return plans
}

async function explained(client: pg.PoolClient, text: string, parameters: unknown[]): Promise<Plan> {
  await client.query('savepoint unexplained')
  // Citus runs some statements, and can't say then how.
  const run = client.query(`${explaining} ${text}`, parameters)
  const { rows } = await run.catch(async () => {
    await client.query('rollback to savepoint unexplained')
    return client.query(`${planning} ${text}`, parameters)
  })
  await client.query('rollback to savepoint unexplained')
  const nodes = nodesIn(rows)
  const touched = nodes.map((node) => Number(node['Shared Hit Blocks'] ?? 0) + Number(node['Shared Read Blocks'] ?? 0))
  const whole = nodes.filter((node) => node['Node Type'] === 'Seq Scan' && node['Actual Loops'] !== 0)
  return {
    statement: text,
    buffers: Math.max(0, ...touched), // a node counts what is below it
    whole: whole.flatMap((node) => (node['Relation Name'] === undefined ? [] : [String(node['Relation Name'])])),
  }
}

type Node = Readonly<Record<string, unknown>>

/** All nodes of a plan, wherever a server has put those of other nodes. */
function nodesIn(value: unknown): Node[] {
  if (Array.isArray(value)) return value.flatMap(nodesIn)
  if (typeof value !== 'object' || value === null) return []
  const own = 'Node Type' in value ? [value as Node] : [] // an object of JSON
  return [...own, ...Object.values(value).flatMap(nodesIn)]
}
