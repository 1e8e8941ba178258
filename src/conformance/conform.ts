import { execute } from '../migrate/migration-database.js'
import { isServerAway, sqlState } from '../pg/error-class.js'
import type { Home } from '../schema/engine.js'
import { quotedName } from '../schema/names.js'
import { BrokenError } from './broken.js'
import type { Judged, Otherwise, Promised } from './promised.js'
import { Scene } from './scene.js'
import { openStage, type Stage, type Way } from './stage.js'
import { table } from './suite-table.js'
import { within } from './within.js'

/** How a run of the suite is made. */
export interface ConformOptions extends Way {
  readonly promises: readonly Promised[]
  /** Aborted, it stops and leaves nothing behind. */
  readonly signal?: AbortSignal
  /** The longest that one promise may take, in milliseconds. Default 15,000. */
  readonly patience?: number | undefined
}

/** What a run has found. */
export interface Conformance {
  readonly home: Home
  readonly judged: readonly Judged[]
  /** It was stopped before it had tried all. */
  readonly isStopped: boolean
  /** Schemas that could not be dropped, and why. */
  readonly left: readonly { readonly schema: string; readonly reason: string }[]
}

const longest = 15_000

/** To stop workers takes no longer where the server answers. */
const stopping = 5_000

/** So long (milliseconds) a server that went away is waited for; then the promise is tried anew. */
const absence = 20_000
const betweenLooks = 200

/** Said of a server that takes no writes, as a standby or what was one. */
const readOnly = '25006'

/**
 * Tries promises on a server, one after the other, in a schema of the suite's own, and drops it.
 * @throws whatever keeps the suite from beginning
 */
export async function conform({ promises, signal, patience = longest, ...way }: ConformOptions): Promise<Conformance> {
  const first = await openStage(way)
  const stages = [first]
  const judged: Judged[] = []
  try {
    for (const promised of promises) {
      if (signal?.aborted) break
      const stage = stages.at(-1) ?? first
      const found = await judge(promised, stage, { signal, patience })
      if (found !== undefined) judged.push(found)
      if (!(await emptied(stage, patience))) stages.push(await openStage(way))
    }
  } catch (error) {
    await closed(stages)
    throw error
  }
  return { home: first.home, judged, isStopped: signal?.aborted ?? false, left: await closed(stages) }
}

/** Closes them. @returns the schemas that could not be dropped, and why */
async function closed(stages: readonly Stage[]): Promise<Conformance['left']> {
  const left: { schema: string; reason: string }[] = []
  for (const { schema, close } of stages)
    await close().catch((error: unknown) => void left.push({ schema, reason: textOf(error) }))
  return left
}

interface Bounds {
  readonly signal: AbortSignal | undefined
  readonly patience: number
}

/** @returns undefined where it was stopped */
async function judge(promised: Promised, stage: Stage, bounds: Bounds): Promise<Judged | undefined> {
  const { name, says, absent } = promised
  const begun = performance.now()
  const found = (
    otherwise: Otherwise | { readonly verdict: 'holds' } | { readonly verdict: 'broken'; readonly reason: string },
  ): Judged => ({
    name,
    promise: says,
    ...otherwise,
    took: Math.round(performance.now() - begun),
  })
  const reason = absent?.(stage.home)
  if (reason !== undefined) return found({ verdict: 'absent', reason })
  try {
    return found((await triedTwice(promised, stage, bounds)) ?? { verdict: 'holds' })
  } catch (error) {
    if (bounds.signal?.aborted) return undefined
    return found({ verdict: 'broken', reason: textOf(error) })
  }
}

/** Where the server went away meanwhile (a restart, a failover) nothing is known yet: it is tried anew when it is back. */
async function triedTwice(promised: Promised, stage: Stage, bounds: Bounds): Promise<Otherwise | undefined> {
  try {
    return await tried(promised, stage, bounds)
  } catch (error) {
    if (!isAway(error) || !(await isBack(stage, bounds))) throw error
    return await tried(promised, stage, bounds)
  }
}

const isAway = (error: unknown): boolean => isServerAway(error) || sqlState(error) === readOnly

/** Whether the server takes writes again, in time; the table is empty then. */
async function isBack(stage: Stage, { signal, patience }: Bounds): Promise<boolean> {
  const deadline = performance.now() + absence
  while (!signal?.aborted && performance.now() < deadline) {
    if (await emptied(stage, patience)) return true
    await new Promise((resolve) => setTimeout(resolve, betweenLooks))
  }
  return false
}

async function tried(promised: Promised, stage: Stage, { signal, patience }: Bounds): Promise<Otherwise | undefined> {
  const scene = new Scene(stage)
  const late = () => new BrokenError(`nothing came of it within ${patience / 1_000} s; it waited for ${scene.waiting}`)
  try {
    return await within(patience, promised.run(scene), late, signal)
  } finally {
    await within(stopping, scene.close(), late).catch(() => {}) // a worker that does not stop is told where it matters
  }
}

/** Whether the table is empty again: something that hangs may hold it. */
async function emptied({ db, schema }: Stage, patience: number): Promise<boolean> {
  // As a new table is: what is deleted stays in indexes for a while, and is read there.
  const emptying = execute(db, `truncate ${quotedName({ schema, name: table })}`)
  return within(patience, emptying, () => new BrokenError('the table is held')).then(
    () => true,
    () => false,
  )
}

/** On one line: what it is, and what the server said beside it. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const state = sqlState(error)
  return state === undefined ? error.message : `the server said: ${error.message} (${state})`
}
