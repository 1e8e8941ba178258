import { setTimeout as sleep } from 'node:timers/promises'
import { epoch } from '../../../test/chaos/witness.ts'
import { type Fault, type Figures, within } from '../figures.ts'
import { type Play, Trial } from '../trial.ts'

const lasts = 10_000
const limit = 25_000
/** How much of the time before that counts for how many are at work. */
const lookBack = 5_000

const faults = {
  'black hole, healed after 10 s': async ({ proxy }: Trial) => {
    proxy.swallow()
    await sleep(lasts)
    proxy.heal()
  },
  'half-open': async ({ proxy }: Trial) => proxy.halfOpen(),
} as const

export const lostNetwork: Fault = {
  name: 'R3',
  what: 'the network loses every byte for 10 s and then heals, or forgets its connections; 2 processes, jobs all the time',
  async play(play) {
    // network faults are of one proxy each: all can happen at once
    const all = Object.entries(faults).flatMap(([name, strike]) => [
      loseIt(play, name, strike, false),
      ...(play.peer === 'ours' ? [] : [loseIt(play, name, strike, true)]),
    ])
    return Object.assign({}, ...(await Promise.all(all)))
  },
}

function loseIt(play: Play, name: string, strike: (trial: Trial) => Promise<void>, bounded: boolean): Promise<Figures> {
  return Trial.hold(play, { expiry: 5_000, bounded }, async (trial) => {
    await trial.crew.start(2)
    await trial.begun(await trial.enqueue(200, 'work', 250), 1, 16)
    const striking = { over: false }
    const struck = strike(trial).finally(() => {
      striking.over = true
    })
    while (!striking.over) await trial.refill(250)
    await struck
    const healed = epoch()
    const { first, all } = await trial.backAtWork(healed, limit)
    while (epoch() < healed + limit) await trial.refill(250)
    const handlers = trial.crew.alive.length * trial.settings.concurrency
    const working = await trial.atWork(healed + limit - lookBack, healed + limit)
    const ended = trial.crew.deserters > 0 ? `; ${trial.crew.deserters} processes ended by themselves` : ''
    const how = bounded ? `${name}, queries bound to 5 s` : name
    return {
      [`first job, and each process' first, after ${how}`]: `${within(limit, first)}, ${within(limit, all)}${ended}`,
      [`handlers at work 25 s after ${how}`]: `${working.toFixed(1)} of ${handlers}`,
    }
  })
}
