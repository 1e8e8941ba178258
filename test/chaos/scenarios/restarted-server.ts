import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import { Arena } from '../arena.ts'
import { atMost, type Result, type Scenario, type Stage, seconds } from '../scenario.ts'
import { epoch } from '../witness.ts'

const faults = ['fast', 'immediate', 'backend', 'kill', 'away'] as const
type Fault = (typeof faults)[number]

const names: Record<Fault, string> = {
  fast: 'restart, fast',
  immediate: 'restart, immediate',
  backend: 'kill -9 of a backend',
  kill: 'kill -9 of the postmaster',
  away: 'away for a while',
}

/** As by default, polling is a safety net; leases are shorter, for the jobs whose fetch got no answer. */
const settings = {
  test: { lease: 2_000 },
  short: { lease: 10_000, pollInterval: 60_000 },
  long: { lease: 60_000, pollInterval: 60_000 },
} as const

/** How soon after the server's return the first job must be done. */
const promised = 1_000

export const restartedServer: Scenario = {
  name: 'R2',
  promise: 'the server restarts, crashes or is away: no process ends, all are at work again 1 s after its return',
  run: (stage) => Arena.play(stage.servers, settings[stage.form], (arena) => restartAgainAndAgain(arena, stage)),
}

async function restartAgainAndAgain(arena: Arena, stage: Stage): Promise<Result> {
  await arena.start(stage.form === 'test' ? 1 : 4, { url: arena.directUrl })
  const measured: Record<string, string> = {}
  const breaches: string[] = []
  for (const fault of stage.form === 'test' ? (['fast', 'backend'] as const) : faults) {
    for (let round = 0; round < (stage.form === 'long' ? 10 : 1); round++) {
      const result = await underFault(arena, stage, fault)
      breaches.push(...result.breaches)
      measured[names[fault]] = seconds(result.slowest)
    }
  }
  const verdict = await arena.verdict()
  return { breaches: [...breaches, ...verdict.breaches], figures: { jobs: verdict.evidence.jobs.length, ...measured } }
}

async function underFault(arena: Arena, stage: Stage, fault: Fault) {
  const hands = arena.crew.alive
  await arena.enqueue(hands.length * 50, { act: 'work', takes: 80 })
  await arena.atWork(hands.length)
  stage.say(names[fault])
  await strike(arena, stage, fault)
  const returned = epoch()
  const slowest = await arena.slowestToWork(
    hands.map(({ pid }) => pid),
    returned,
  )
  await arena.finished(60_000 + 2 * arena.settings.lease) // a claim whose answer was lost is waited for
  return {
    slowest,
    breaches: atMost(stage.form, promised, slowest, `the first job done by each process after ${names[fault]}`),
  }
}

/** Resolves when the server is back. */
async function strike(arena: Arena, { server, form, random, servers }: Stage, fault: Fault): Promise<void> {
  if (fault === 'backend') {
    const { rows } = await sql<{
      pid: number
    }>`select pid from pg_stat_activity where application_name like 'chaos %'`.execute(arena.db)
    process.kill(random.pick(rows).pid, 'SIGKILL')
    await sleep(20) // the postmaster takes all others down before it starts anew
    return answers(servers.faulty)
  }
  await server.halt(fault === 'away' ? 'fast' : fault)
  if (fault === 'away') await sleep(form === 'long' ? 20_000 : 6_000)
  await server.resume()
}

/** Resolves when the server answers. */
async function answers(url: string): Promise<void> {
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => {})
    const up = await client.connect().then(
      () => true,
      () => false,
    )
    await client.end().catch(() => {})
    if (up) return
    await sleep(10)
  }
}
