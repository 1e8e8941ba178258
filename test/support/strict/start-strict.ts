import { connect, createServer } from 'node:net'
import pg from 'pg'
import { citusCatalog, distributeAll, volatilities } from './catalog.ts'
import { type Shared, StrictLine } from './strict-line.ts'

/** A database that passes for one of Citus, and refuses what Citus refuses. */
export interface Strict {
  readonly url: string
  /** Each statement that was refused, with what was said. */
  readonly refused: { readonly statement: string; readonly message: string }[]
  /** The names of tables whose nodes do not answer. */
  readonly away: Set<string>
  close(): void
}

export interface StrictOptions {
  /** Distributes each table that is made with such a column. Default: only what `create_distributed_table` is called with. */
  readonly distributeBy?: string
}

/**
 * Stands in front of a database of a test's own, which is plain Postgres: what goes through it meets the refusals of Citus on distributed
 * tables, in its words, as they were measured on 13.2 (test/support/strict/refusals.ts). Where rows are, and what a statement over several
 * nodes costs, it knows nothing of.
 */
export async function startStrict(url: string, { distributeBy }: StrictOptions = {}): Promise<Strict> {
  const volatilities = await prepare(url, distributeBy)
  const shared = { distributed: new Map(), volatilities, away: new Set<string>(), refused: [] } satisfies Shared
  const target = new URL(url)
  const lines = new Set<StrictLine>()
  const server = createServer((client) => {
    lines.add(new StrictLine(client, connect(Number(target.port), target.hostname), shared))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const through = new URL(url)
  through.hostname = '127.0.0.1'
  through.port = String((server.address() as { port: number }).port)
  const close = () => {
    for (const line of lines) line.close()
    server.close()
  }
  return { url: through.href, refused: shared.refused, away: shared.away, close }
}

async function prepare(url: string, distributeBy: string | undefined): Promise<Shared['volatilities']> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(citusCatalog)
    if (distributeBy !== undefined) await client.query(distributeAll(distributeBy))
    const { rows } = await client.query<{ name: string; rank: number }>(volatilities)
    return new Map(rows.map(({ name, rank }) => [name, ([undefined, 'i', 's', 'v'] as const)[rank] ?? 'v']))
  } finally {
    await client.end()
  }
}
