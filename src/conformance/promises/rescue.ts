import { randomUUID } from 'node:crypto'
import { expectSame } from '../broken.js'
import { nextEvent } from '../events.js'
import type { Promised } from '../promised.js'

export const rescue: Promised = {
  name: 'rescue',
  says: 'What a worker that died has left is run by another',
  run: async (scene) => {
    await scene.enqueueOne({ label: 'left' })
    const left = await scene.claimOne(randomUUID())
    await scene.age(left.job)
    const ran = Promise.withResolvers<number>()
    const worker = scene.worker((_job, { attempt }) => ran.resolve(attempt))
    const succeeded = nextEvent(worker, 'succeeded')
    await scene.start(worker)
    expectSame('its attempt', await scene.until('another worker that takes it over', ran.promise), 2)
    await scene.until('its outcome', succeeded)
    expectSame('its status', (await scene.row('left')).status, 'job_status_succeeded')
    return undefined
  },
}
