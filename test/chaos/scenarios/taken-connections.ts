import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import { startPostgres } from '../../../tools/postgres/start-postgres.ts'
import { Arena } from '../arena.ts'
import type { Hand } from '../crew.ts'
import { isTakeover } from '../invariants.ts'
import { withRole } from '../role.ts'
import { atMost, type Form, type Result, type Scenario, type Stage, seconds } from '../scenario.ts'
import { epoch } from '../witness.ts'

/** How long (milliseconds) all connections are taken. */
const howLong: Record<Form, number> = { test: 2_500, short: 20_000, long: 60_000 }

/** How soon a process must have done a job once it can connect again. */
const promised = 2_000

/** What the worker says of a pool whose connections are all taken, and of a server that has no more. */
const says = { pool: /NoConnectionError: .* all connections of the pool are taken/, server: /the server gives no more/ }

export const takenConnections: Scenario = {
  name: 'R7',
  promise:
    'the program holds all connections of the pool, or others those of the server: leases are kept, or their signals fire in time',
  async run(stage) {
    const parts =
      stage.form === 'test'
        ? [pastTheLease(stage, 10), roleIsFull(stage)]
        : [
            pastTheLease(stage, 10),
            pastTheLease(stage, 1),
            withinTheLease(stage),
            roleIsFull(stage),
            serverIsFull(stage),
          ]
    const results = await Promise.all(parts)
    return {
      breaches: results.flatMap(({ breaches }) => breaches),
      figures: Object.assign({}, ...results.map(({ figures }) => figures)),
    }
  },
}

/** Handlers of a process hold its whole pool for longer than the lease; by then another may take its jobs. */
function pastTheLease(stage: Stage, poolSize: number): Promise<Result> {
  const what = `pool of ${poolSize}, past the lease`
  return Arena.play(stage.servers, { lease: stage.form === 'test' ? 1_000 : 2_000, poolSize }, async (arena) => {
    // another, which takes each lease as soon as it ends, but none of the jobs before
    const [other, hand] = await Promise.all([
      arena.crew.start({ poolSize: 10, pollInterval: 50 }),
      arena.crew.start({ concurrency: poolSize + 8 }),
    ])
    await other.said('started')
    other.send('SIGSTOP')
    const holders = await holdPool(arena, stage, what, arena.settings.lease * 2)
    other.send('SIGCONT')
    const slowest = await arena.slowestToWork([hand.pid], await givenBack(arena, holders))
    await arena.finished(60_000)
    const { breaches, evidence } = await arena.verdict()
    const signals = evidence.deeds.filter(({ pid, reason }) => pid === hand.pid && reason === 'LEASE_LOST').length
    const taken = evidence.moves.filter(isTakeover).length
    return {
      breaches: [
        ...breaches,
        ...said(hand, says.pool, what),
        ...atMost(stage.form, promised, slowest, `at work again after a ${what}`),
        ...(signals > 0 && taken > 0 ? [] : [`${what}: no signal fired, or no job was taken over`]),
      ],
      figures: { [`${what}: signals`]: signals, [`${what}: at work again`]: seconds(slowest) },
    }
  })
}

/** The same, but leases outlive it: all attempts keep them. */
function withinTheLease(stage: Stage): Promise<Result> {
  const what = 'pool of 10, within the lease'
  const lasts = howLong[stage.form]
  return Arena.play(stage.servers, { lease: lasts * 2 }, async (arena) => {
    const hand = await arena.crew.start({ concurrency: 18 })
    const holders = await holdPool(arena, stage, what, lasts + 1_000)
    await givenBack(arena, holders)
    await arena.finished(60_000)
    const { breaches, evidence } = await arena.verdict()
    const again = evidence.jobs.filter(({ attempts_count }) => attempts_count > 1)
    return {
      breaches: [
        ...breaches,
        ...said(hand, says.pool, what),
        ...again.map(({ id }) => `${what}: job ${id} lost its attempt, though its lease outlived the fault`),
      ],
      figures: { [`${what}: attempts lost`]: again.length },
    }
  })
}

/** Handlers of the only process that claims take every connection, while eight others are at work for so many milliseconds. */
async function holdPool(arena: Arena, { form, say }: Stage, what: string, takes: number): Promise<string[]> {
  const { poolSize } = arena.settings
  await arena.enqueue(8, { act: 'work', takes })
  await arena.atWork(8) // claimed before: once the connections are held, nothing is
  const holders = await arena.enqueue(poolSize, { act: 'hold', takes: howLong[form] })
  await arena.atWork(poolSize + 8)
  say(`${what}: handlers hold all connections for ${howLong[form]} ms`)
  return holders
}

/** When (milliseconds of the epoch) the last of them was given back. */
async function givenBack(arena: Arena, holders: readonly string[]): Promise<number> {
  for (;;) {
    const ends = arena.witness.selectFrom('deeds').select('ended').where('job', 'in', holders).where('attempt', '=', 1)
    const ended = (await ends.execute()).flatMap(({ ended }) => ended ?? [])
    if (ended.length === holders.length) return Math.max(...ended)
    await sleep(50)
  }
}

/** The worker's role may have no connection any more, and loses those it has. */
function roleIsFull(stage: Stage): Promise<Result> {
  return Arena.play(stage.servers, { lease: 1_000 }, (arena) =>
    withRole(arena, ({ name, url }) => {
      const run = (statement: string) => sql.raw(statement).execute(arena.db)
      return refuse(arena, stage, 'role without connections', url, async () => {
        await run(`alter role ${name} connection limit 0`)
        await run(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${name}'`)
        return () => run(`alter role ${name} connection limit -1`)
      })
    }),
  )
}

/** Others take every connection that a server has, those of the worker as well. */
async function serverIsFull(stage: Stage): Promise<Result> {
  const server = await startPostgres({ fsync: false, settings: { max_connections: '25' } })
  try {
    return await Arena.play({ ...stage.servers, faulty: server.url }, { lease: 2_000 }, (arena) =>
      refuse(arena, stage, 'max_connections', arena.directUrl, () => takeAll(server.url)),
    )
  } finally {
    await server.stop()
  }
}

/** Gives the way to let them go again. */
async function takeAll(url: string): Promise<() => Promise<unknown>> {
  const taken: pg.Client[] = []
  const others = `select pg_terminate_backend(pid) from pg_stat_activity
    where backend_type = 'client backend' and application_name <> 'taker'`
  for (let left = 1; left > 0; await sleep(20)) {
    for (let client = await connected(url); client !== undefined; client = await connected(url)) taken.push(client)
    left = (await taken[0]?.query(others))?.rowCount ?? 1
  }
  return () => Promise.all(taken.map((client) => client.end()))
}

/** A connection; undefined where the server has no more. */
async function connected(connectionString: string): Promise<pg.Client | undefined> {
  const client = new pg.Client({ connectionString, application_name: 'taker' })
  client.on('error', () => {})
  return client.connect().then(
    () => client,
    () => undefined,
  )
}

/** No connection is given to the worker for a while. */
async function refuse(
  arena: Arena,
  stage: Stage,
  what: string,
  url: string,
  begin: () => Promise<() => Promise<unknown>>,
): Promise<Result> {
  const hand = await arena.crew.start({ url, concurrency: 16 })
  await arena.enqueue(8, { act: 'work', takes: arena.settings.lease * 2 })
  await arena.atWork(8)
  stage.say(`${what}: the server refuses connections for ${howLong[stage.form]} ms`)
  const end = await begin()
  await sleep(howLong[stage.form])
  await end()
  const slowest = await arena.slowestToWork([hand.pid], epoch())
  await arena.finished(60_000)
  const { breaches, evidence } = await arena.verdict()
  const signals = evidence.deeds.filter(({ reason }) => reason === 'LEASE_LOST').length
  return {
    breaches: [
      ...breaches,
      ...said(hand, says.server, what),
      ...atMost(stage.form, promised, slowest, `at work again after ${what}`),
    ],
    figures: { [`${what}: signals`]: signals, [`${what}: at work again`]: seconds(slowest) },
  }
}

/** An event must name what was wrong. */
function said(hand: Hand, words: RegExp, what: string): string[] {
  const errors = hand.reports.filter(({ event }) => event === 'error').map(({ facts }) => String(facts.cause))
  return errors.some((error) => words.test(error)) ? [] : [`${what}: no event said ${words}, but ${errors.at(-1)}`]
}
