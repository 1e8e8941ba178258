import { notifyWorkers } from '../../queue/notify.js'
import { expectSame } from '../broken.js'
import { nextEvent } from '../events.js'
import type { Otherwise, Promised } from '../promised.js'
import { pollInterval, type Scene } from '../scene.js'
import { table } from '../suite-table.js'

export const wake: Promised = {
  name: 'wake',
  says: 'A worker is told at once of a job that is enqueued; where it is not, it polls',
  run: async (scene) => {
    const { home, untold, listen } = scene.stage
    if (!home.engine.listen) return polled(scene, `${home.engine.name} has no LISTEN`)
    const ran = waiting()
    const worker = scene.worker(({ label }) => ran.tell(label), { listen, pollInterval: '1h' })
    const hears = heard(worker)
    await scene.start(worker)
    const deaf = await scene.until('a listener that says whether it hears', hears)
    if (deaf !== undefined) return polled(scene, `LISTEN is not heard (${deaf}): ${remedy}`)
    // Who only listens has looked for what was missed before, and found nothing.
    await scene.until('a worker that waits', nextEvent(worker, 'idle'))
    await scene.enqueueOne({ label: 'told' })
    if (untold !== undefined) await notifyWorkers(scene.db, table)
    expectSame('the job it ran', await scene.until('a notification that wakes the worker', ran.told), 'told')
    return untold === undefined
      ? undefined
      : polled(scene, `no trigger tells workers (${untold}): they poll, or notifyWorkers after a commit wakes them`)
  },
}

const remedy = 'behind a pooler in transaction mode, workers listen at the server itself (--listen <url>)'

function waiting() {
  const { promise: told, resolve: tell } = Promise.withResolvers<string>()
  return { told, tell }
}

/** Resolves when it listens; with the reason where it does not. */
function heard(worker: ReturnType<Scene['worker']>): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  worker.on('listener', ({ state, reason }) => {
    if (state === 'listening') resolve(undefined)
    else if (state === 'deaf') resolve('its own notifications do not come back')
    else if (reason !== undefined) resolve(reason.message)
  })
  return promise
}

/** It works by polling alone. */
async function polled(scene: Scene, reason: string): Promise<Otherwise> {
  const ran = waiting()
  const worker = scene.worker(({ label }) => ran.tell(label), { pollInterval })
  const idle = nextEvent(worker, 'idle')
  await scene.start(worker)
  await scene.until('a worker that waits', idle)
  await scene.enqueueOne({ label: 'polled' })
  expectSame('the job it ran', await scene.until('a poll that finds the job', ran.told), 'polled')
  return { verdict: 'polled', reason }
}
