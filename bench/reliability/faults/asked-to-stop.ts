import { setTimeout as sleep } from 'node:timers/promises'
import { seconds } from '../../../test/chaos/scenario.ts'
import { type Fault, type Figures, standing } from '../figures.ts'
import { type Play, Trial } from '../trial.ts'

const limit = 20_000

export const askedToStop: Fault = {
  name: 'R11',
  what: 'SIGTERM with 8 jobs of 3 s in flight and 20 waiting; grace of 10 s, and of 1 s; handlers heed their signals',
  async play(play) {
    return { ...(await stopWithin(play, 10_000)), ...(await stopWithin(play, 1_000)) }
  },
}

function stopWithin(play: Play, grace: number): Promise<Figures> {
  return Trial.hold(play, { grace, expiry: 15_000 }, async (trial) => {
    const [hand] = await trial.crew.start(1)
    const keys = await trial.enqueue(28, 'work', 3_000)
    await trial.begun(keys, 1, 8)
    await sleep(500)
    trial.crew.dismissSupervisor()
    hand?.send('SIGTERM')
    await hand?.ended(limit)
    const took = hand?.stuck ? `not within ${limit / 1000} s` : seconds((hand?.endedAt ?? 0) - (hand?.askedAt ?? 0))
    return {
      [`exit, grace of ${grace / 1000} s`]: `${took}, code ${hand?.code ?? hand?.signal}`,
      [`jobs then, grace of ${grace / 1000} s`]: standing(await trial.counts()),
    }
  })
}
