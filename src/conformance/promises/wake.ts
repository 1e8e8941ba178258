import { notifyWorkers } from '../../queue/notify.js'
import { expectSame } from '../broken.js'
import { nextEvent } from '../events.js'
import { isPooled } from '../is-pooled.js'
import type { Otherwise, Promised } from '../promised.js'
import { pollInterval, type Scene } from '../scene.js'
import { table } from '../suite-table.js'

export const wake: Promised = {
  name: 'wake',
  says: 'A worker is told at once of a job that is enqueued; where it is not, it polls',
  run: async (scene) => {
    const { home } = scene.stage
    const reason = home.engine.listen ? await whyUntold(scene) : `${home.engine.name} has no LISTEN`
    return reason === undefined ? undefined : polled(scene, reason)
  },
}

/** Why a worker that listens is not told by the insert of a job; undefined: it is. */
async function whyUntold(scene: Scene): Promise<string | undefined> {
  const { untold, listen } = scene.stage
  const worker = scene.worker(() => {}, { listen, pollInterval: '1h' })
  const hears = heard(worker)
  await scene.start(worker)
  try {
    const deaf = await scene.until('a listener that says whether it hears', hears)
    if (deaf !== undefined) return `LISTEN is not heard (${deaf}): ${remedy}`
    await scene.until('a worker that waits', nextEvent(worker, 'idle'))
    for (const label of ['first', 'second', 'third']) {
      // What it looks for unasked, when it has begun to listen or has ended a job, is over then.
      await new Promise((resolve) => setTimeout(resolve, quiet))
      const ran = nextEvent(worker, 'succeeded', ({ job }) => job.label === label)
      await scene.enqueueOne({ label })
      if (untold !== undefined) await notifyWorkers(scene.db, table)
      const told = scene.until('a notification that wakes the worker', ran)
      if (await isLost(told, listen)) return `LISTEN is not heard, as a pooler is in between: ${remedy}`
      await told
    }
    return untold === undefined
      ? undefined
      : `no trigger tells workers (${untold}): they poll, or notifyWorkers after a commit wakes them`
  } finally {
    await worker.stop({ deadline: 0 })
  }
}

const remedy = 'behind a pooler in transaction mode, workers listen at the server itself (--listen <url>)'

function waiting() {
  const { promise: told, resolve: tell } = Promise.withResolvers<string>()
  return { told, tell }
}

/** Milliseconds. */
const quiet = 100

/** So long (milliseconds) a notification may be on its way. */
const onItsWay = 4_000

/** Whether it does not come, as a pooler has given the session that listens to somebody else: that may have heard itself before. */
async function isLost(told: Promise<unknown>, listen: string): Promise<boolean> {
  const late = Symbol()
  const came = await Promise.race([told, new Promise((resolve) => setTimeout(resolve, onItsWay, late))])
  return came === late && (await isPooled(listen))
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
