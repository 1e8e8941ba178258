import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '../../../tools/postgres/start-postgres.ts'
import { startProxy } from '../../support/proxy.ts'
import { type Standby, startStandby } from '../../support/standby.ts'
import { Arena } from '../arena.ts'
import type { Evidence } from '../invariants.ts'
import { atMost, longest, type Result, type Stage, seconds } from '../scenario.ts'
import { epoch } from '../witness.ts'

/** How soon after the promotion each process must have done a job, and listen. */
const promised = 2_000

/** How long the standby is all there is, and refuses what is written. */
const unpromoted = 6_000

/** The primary dies, everybody is led to its standby, and that is promoted. */
export async function promotedStandby(stage: Stage): Promise<Result> {
  const primary = await startPostgres({ fsync: false, settings: { synchronous_commit: 'on' } })
  try {
    const standby = await startStandby(primary)
    try {
      const service = await startProxy(primary.url) // the address that outlives the primary
      const failOver = async () => {
        await primary.halt('kill')
        service.leadTo(standby.url)
      }
      const servers = { faulty: service.url, witness: stage.servers.witness }
      const settings = { lease: 3_000, pollInterval: 60_000 }
      return await Arena.play(servers, settings, (arena) => play(arena, stage, standby, failOver)).finally(
        service.close,
      )
    } finally {
      await standby.stop()
    }
  } finally {
    await primary.stop()
  }
}

async function play(
  arena: Arena,
  { form, say }: Stage,
  standby: Standby,
  failOver: () => Promise<void>,
): Promise<Result> {
  await arena.start(2)
  // one is led to the standby from the beginning
  const astray = await arena.crew.start({ url: Object.assign(new URL(arena.directUrl), { port: standby.port }).href })
  await refused(astray)
  const client = keepEnqueuing(arena)
  await client.told(300)
  const before = client.acknowledged.length
  say('the primary is killed, and all are led to its standby')
  await failOver()
  await Promise.all(arena.crew.hands.map(refused))
  await sleep(unpromoted)
  const promoted = epoch() // when it is asked for: it takes writes before it says that it does
  await standby.promote()
  say('the standby is promoted')
  const { hands } = arena.crew
  const slowest = await arena.slowestToWork(
    hands.map(({ pid }) => pid),
    promoted,
  )
  const heard = longest(await Promise.all(hands.map((hand) => hand.saidOfListener('listening', promoted, 30_000))))
  await client.stop()
  await arena.finished(60_000)
  const { breaches, evidence } = await arena.verdict()
  return {
    breaches: [
      ...breaches,
      ...forgotten(arena, client.acknowledged, evidence),
      ...atMost(form, promised, slowest, 'at work again after the promotion'),
      ...atMost(form, promised, heard, 'listening again after the promotion'),
    ],
    figures: {
      'standby promoted': `at work again within ${seconds(slowest)}`,
      'listening again within': seconds(heard),
      'acknowledged by the primary': before,
    },
  }
}

/** Resolves when a worker said that its server takes no writes and its listener that it hears nothing. */
async function refused(hand: Arena['crew']['hands'][number]): Promise<void> {
  await Promise.all([
    hand.said('error', ({ facts }) => /in a read-only transaction/.test(facts.cause)),
    hand.said('listener', ({ facts }) => /cannot execute LISTEN during recovery/.test(facts.cause)),
  ])
}

/** What the primary had acknowledged, and the promoted standby knows nothing of: jobs and their endings. */
function forgotten({ crew }: Arena, acknowledged: readonly string[], { jobs }: Evidence): string[] {
  const attempts = new Map(jobs.map(({ id, attempts_count }) => [id, attempts_count]))
  const endings = crew.hands.flatMap(({ reports }) => reports.filter(({ event }) => event === 'succeeded'))
  return [
    ...acknowledged.filter((id) => !attempts.has(id)).map((id) => `job ${id} was acknowledged, and is gone`),
    ...endings
      .filter(({ facts }) => attempts.get(facts.job) !== facts.attempt)
      .map(({ facts }) => `job ${facts.job} had succeeded by attempt ${facts.attempt}, and ran again`),
  ]
}

/** A program that enqueues, whatever happens, and remembers the jobs of which it was told that they are there. */
function keepEnqueuing(arena: Arena) {
  const acknowledged: string[] = []
  let over = false
  const enqueuing = (async () => {
    for (let turn = 0; !over; turn++) {
      await arena.enqueue(10, { act: turn % 2 === 0 ? 'work' : 'complete', takes: 60 }).then(
        (ids) => acknowledged.push(...ids),
        () => {},
      )
      await sleep(30)
    }
  })()
  const told = async (count: number) => {
    while (acknowledged.length < count) await sleep(10)
  }
  const stop = () => {
    over = true
    return enqueuing
  }
  return { acknowledged, told, stop }
}
