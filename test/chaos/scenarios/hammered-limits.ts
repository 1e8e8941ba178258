import { fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDatabase } from '../arena.ts'
import { workerProgram } from '../bundle.ts'
import { Hand } from '../crew.ts'
import type { LimitedSettings } from '../limits/limited-process.ts'
import {
  createLimitedTables,
  createSpans,
  fill,
  type LimitedDatabase,
  type SpanDatabase,
  tables,
} from '../limits/tables.ts'
import { type Verdict, verdictOn } from '../limits/verdict.ts'
import type { Result, Scenario, Stage } from '../scenario.ts'
import { epoch } from '../witness.ts'

const amounts = {
  test: { processes: 3, seconds: 3, jobs: 4_000, lease: 1_000, every: [500, 900] },
  short: { processes: 16, seconds: 60, jobs: 60_000, lease: 2_000, every: [1_500, 3_000] },
  long: { processes: 16, seconds: 1_200, jobs: 1_000_000, lease: 2_000, every: [1_000, 6_000] },
} as const

export const hammeredLimits: Scenario = {
  name: 'R17',
  promise:
    'kill -9, SIGSTOP past the lease, failures and snoozes, by 16 processes on limits, lines and rates: never over, never out of order',
  async run(stage) {
    const faulty = await createDatabase<LimitedDatabase>(stage.servers.faulty)
    const witness = await createDatabase<SpanDatabase>(stage.servers.witness)
    const hands: Hand[] = []
    try {
      await createLimitedTables(faulty.db)
      await createSpans(witness.db)
      const { lease, jobs } = amounts[stage.form]
      for (const table of tables) await fill(faulty.db, table, jobs)
      const settings = { url: faulty.url, witness: witness.url, lease }
      const period = await hammer(stage, hands, settings)
      const silences = hands.flatMap(({ silences }) => silences)
      const verdicts: Verdict[] = []
      for (const table of tables) {
        const moves = await faulty.db.selectFrom('moves').selectAll().where('job_table', '=', table).execute()
        const spans = await witness.db.selectFrom('spans').selectAll().where('job_table', '=', table).execute()
        verdicts.push(verdictOn(table, moves, spans, silences, period))
      }
      return resultOf(verdicts, hands)
    } finally {
      for (const { child } of hands) child.kill('SIGKILL')
      await Promise.all(hands.map((hand) => hand.ended(5_000)))
      await Promise.all([faulty.drop(), witness.drop()])
    }
  },
}

function resultOf(verdicts: readonly Verdict[], hands: readonly Hand[]): Result {
  const killed = hands.filter(({ signal }) => signal === 'SIGKILL').length
  const stopped = hands.flatMap(({ silences }) => silences).filter(({ until }) => Number.isFinite(until)).length
  return {
    breaches: [...verdicts.flatMap(({ breaches }) => breaches), ...hands.flatMap(({ complaints }) => complaints)],
    figures: Object.assign({ processes: hands.length, killed, stopped }, ...verdicts.map(({ figures }) => figures)),
  }
}

/** Works, and harms who works. @returns the time in which all were at work */
async function hammer({ form, random, say }: Stage, hands: Hand[], settings: LimitedSettings) {
  const { processes, seconds, every, lease } = amounts[form]
  const start = async () => {
    const program = await workerProgram('test/chaos/limits/limited-process.ts')
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const
    const hand = new Hand(fork(program, [JSON.stringify(settings)], { stdio: [...stdio] }))
    hands.push(hand)
    await hand.said('started').catch((error) => {
      if (hand.askedAt === undefined) throw error // else it was killed before
    })
  }
  await Promise.all(Array.from({ length: processes }, start))
  say(`${processes} processes are at work`)
  const since = epoch()
  const until = since + seconds * 1_000
  const starting: Promise<void>[] = []
  while (epoch() + every[1] < until) {
    await sleep(random.between(every[0], every[1]))
    const victim = random.pick(hands.filter(({ askedAt }) => askedAt === undefined))
    if (random.below(2) === 0) {
      say(`kill -9 ${victim.pid}`)
      victim.send('SIGKILL')
      starting.push(start())
    } else {
      const time = random.between(1.2, 2) * lease
      say(`SIGSTOP ${victim.pid} for ${Math.round(time)} ms`)
      victim.send('SIGSTOP')
      starting.push(sleep(time).then(() => victim.send('SIGCONT')))
    }
  }
  await Promise.all(starting)
  await sleep(Math.max(0, until - epoch()))
  const end = epoch()
  const alive = hands.filter(({ askedAt }) => askedAt === undefined)
  for (const hand of alive) hand.send('SIGTERM')
  await Promise.all(alive.map((hand) => hand.ended(30_000)))
  return { since, until: end }
}
