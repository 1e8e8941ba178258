import { randomUUID } from 'node:crypto'
import type { CompiledQuery } from 'kysely'
import pg from 'pg'
import { fetchNextJobs, settle } from '../product.ts'
import type { Contender } from './contender.ts'
import { ours } from './kysely-jobs.ts'
import { sentBy, someId, withIds } from './sent.ts'

const batchSize = 500

/** All columns come back, and none is parsed. */
const asText = { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig // one parser for all

/** What Postgres itself allows: the product's own statements in turn on one connection, and no library at all. */
export const limit: Contender = {
  ...ours,
  title: 'limit: one client, our statements',
  async work(url, _options, handle) {
    const { fetch, settled } = await statements()
    const client = new pg.Client({ connectionString: url, types: asText })
    await client.connect()
    const query = async ({ sql: text }: CompiledQuery, values: readonly unknown[]) => {
      const { rows } = await client.query<[id: string]>({ text, values: [...values], rowMode: 'array' })
      return rows.map(([id]) => id)
    }
    let stopped = false
    const loop = async () => {
      while (!stopped) {
        const ids = await query(fetch, fetch.parameters)
        for (const n of ids.keys()) handle({ n })
        if (ids.length > 0) await query(settled, withIds(settled, ids))
        else await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    const looping = loop()
    return async () => {
      stopped = true
      await looping
      await client.end()
    }
  },
}

/** One INSERT by hand that gives the rows back, as ours does. */
export const byHand: Contender = {
  ...limit,
  title: 'one INSERT by hand',
  async enqueuer(url, connections) {
    const pool = new pg.Pool({ connectionString: url, max: connections })
    const insert = (payloads: readonly unknown[]) => {
      const places = payloads.map((_, i) => `($${i + 1})`).join(', ')
      return pool.query(`insert into jobs (payload) values ${places} returning *`, [...payloads])
    }
    return { one: (payload) => insert([payload]), many: insert, close: () => pool.end() }
  },
}

/** The SQL that fetch and settle are. */
async function statements() {
  const worker = randomUUID()
  const [fetch, settled] = await sentBy(async (db) => {
    await fetchNextJobs(db, 'jobs', { worker, limit: batchSize })
    await settle(db, 'jobs', [{ id: someId, attempt: 1, kind: 'succeeded' }], { worker })
  })
  if (fetch === undefined || settled === undefined) throw new Error('kysely logged no statements')
  return { fetch, settled }
}
