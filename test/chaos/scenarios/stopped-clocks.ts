import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { Arena } from '../arena.ts'
import type { Evidence } from '../invariants.ts'
import type { Result, Scenario, Stage } from '../scenario.ts'
import { epoch } from '../witness.ts'

const lease = 1_000
const past = lease * 2.5

export const stoppedClocks: Scenario = {
  name: 'R4',
  promise: 'SIGSTOP, or a blocked event loop, past the lease: the late outcome changes nothing, complete() rolls back',
  run: (stage) =>
    Arena.play(stage.servers, { lease, concurrency: 8, pollInterval: 50 }, (arena) => stopTheClock(arena, stage)),
}

async function stopTheClock(arena: Arena, { form, say }: Stage): Promise<Result> {
  await arena.start(1)
  const [victim] = arena.crew.alive
  for (let round = 0; round < { test: 1, short: 3, long: 100 }[form]; round++) {
    await arena.enqueue(2, { act: 'stubborn', takes: lease / 2 })
    await arena.enqueue(2, { act: 'complete', takes: lease / 2 })
    await arena.atWork(4)
    say(`SIGSTOP ${victim?.pid} for ${past} ms`)
    victim?.send('SIGSTOP')
    if (round === 0) await arena.start(1)
    await sleep(past)
    victim?.send('SIGCONT')
    await arena.finished(30_000)
    say(`two handlers block their event loop for ${past} ms`)
    await arena.enqueue(2, { act: 'block', takes: past })
    await arena.enqueue(2, { act: 'complete', takes: lease / 2 })
    await arena.finished(60_000)
  }
  say('leases end while their worker is well, which takes the jobs again')
  await arena.crew.stop()
  await arena.start(1)
  const jobs = await arena.enqueue(4, { act: 'stubborn', takes: lease / 4 })
  await arena.atWork(4)
  // nobody can notice a lease that is ended by hand
  const pid = arena.crew.alive[0]?.pid ?? 0
  await arena.witness
    .insertInto('silences')
    .values({ pid, since: epoch(), until: epoch() + lease })
    .execute()
  const longAgo = sql<Date>`now() - interval '1 hour'`
  await arena.db.updateTable('chaos_jobs').set({ locked_at: longAgo }).where('id', 'in', jobs).execute()
  await arena.finished(30_000)
  const { breaches, evidence } = await arena.verdict()
  const late = lateEndings(evidence)
  const refused = late.filter(({ how }) => how === 'threw').length
  // a scenario in which nobody was late has shown nothing
  const shown = late.length > refused && refused > 0 ? [] : ['no outcome came late, or none was refused by complete()']
  return {
    breaches: [...breaches, ...shown],
    figures: { 'late outcomes': late.length, 'refused by complete()': refused },
  }
}

/** Handlers that ended when their job had been taken over. */
function lateEndings({ deeds }: Evidence) {
  return deeds.filter(({ job, attempt, ended }) =>
    deeds.some((other) => other.job === job && other.attempt > attempt && ended !== null && other.begun < ended),
  )
}
