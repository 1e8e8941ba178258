import type { Rate } from '../../../src/queue/allowance.ts'
import type { Keyed } from '../../../src/queue/claim.ts'

/** A job, as the model sees it. */
export interface ModelJob {
  readonly id: string
  readonly tenant: number
  readonly region: string
  readonly most: number
  readonly place: number
  readonly status: string
  readonly attempt: number
  /** Its run_at, in hours from now; negative: it is due. */
  readonly due: number
  /** Its place among all jobs, by created_at and id. */
  readonly turn: number
}

/** All that a claim goes by. */
export interface Situation {
  readonly keyed: Keyed
  readonly jobs: readonly ModelJob[]
  /** Limits that were set, by key as JSON. */
  readonly limits: ReadonlyMap<string, number>
  /** How many hours ago jobs began, oldest first, by key as JSON; of all: 'all'. */
  readonly starts: ReadonlyMap<string, readonly number[]>
}

/** How much a claim asks for. */
export interface Wanted {
  readonly limit: number
  readonly quota: number
  /** The most keys that it visits, and the one that was visited last. */
  readonly most: number
  readonly last: readonly string[]
  /** Only jobs whose place is below it. */
  readonly below: number
}

export const perHour = ({ max, per }: { readonly max: number; readonly per: number }) => (max / per) * 3_600_000

/** A key as limits are kept by it. */
export const keyOf = (keyed: Keyed, job: ModelJob) =>
  JSON.stringify(Object.fromEntries(keyed.by.map((column) => [column, String(job[column as 'tenant' | 'region'])])))

const isPending = ({ status }: ModelJob) => status === 'not_started' || status === 'retry'
const isRunning = ({ status }: ModelJob) => status === 'running'

/** The ids of the jobs that a claim takes when it is alone: all that it may, in no order. */
export function allowed(situation: Situation, wanted: Wanted): string[] {
  const { keyed, jobs } = situation
  const room = Math.min(wanted.limit, roomOfAll(situation))
  const keys = visited(keyed, meant(jobs, wanted), wanted)
  const taken = keys.flatMap((key) => {
    const ofKey = keyed.by.length === 0 ? jobs : jobs.filter((job) => keyOf(keyed, job) === key)
    const due = meant(ofKey, wanted).toSorted((a, b) => a.due - b.due)
    return ofOneKey(situation, key, ofKey, due).slice(0, keyed.by.length === 0 ? room : wanted.quota)
  })
  return taken.slice(0, room).map(({ id }) => id)
}

const meant = (jobs: readonly ModelJob[], { below }: Wanted) =>
  jobs.filter((job) => isPending(job) && job.due <= 0 && job.place < below)

/** The keys that have jobs, from the one after the last, and around. */
function visited(keyed: Keyed, jobs: readonly ModelJob[], { last, most }: Wanted): string[] {
  const firsts = new Map(jobs.map((job) => [keyOf(keyed, job), job]))
  const before = (job: ModelJob) =>
    last.length > 0 &&
    (job.tenant < Number(last[0]) || (job.tenant === Number(last[0]) && job.region <= (last[1] ?? 'z')))
  const order = ([, a]: [string, ModelJob], [, b]: [string, ModelJob]) =>
    Number(before(a)) - Number(before(b)) || a.tenant - b.tenant || (a.region < b.region ? -1 : 1)
  const keys = [...firsts].toSorted(order).map(([key]) => key)
  return keyed.by.length === 0 ? keys : keys.slice(0, most)
}

function roomOfAll({ keyed, jobs, limits, starts }: Situation): number {
  const { total, totalRate } = keyed
  const running = jobs.filter(isRunning).length
  const ofLimit = total === undefined ? Number.POSITIVE_INFINITY : (limits.get('{}') ?? total) - running
  return Math.max(0, Math.min(ofLimit, left(totalRate, starts.get('all'))))
}

function ofOneKey(
  { keyed, limits, starts }: Situation,
  key: string,
  jobs: readonly ModelJob[],
  due: readonly ModelJob[],
): readonly ModelJob[] {
  const { max, order, rate, by } = keyed
  const running = jobs.filter(isRunning)
  const ofRate = left(rate, starts.get(key))
  if (order !== undefined)
    return ofRate < 1 || running.length > 0 ? [] : due.filter(({ id }) => id === first(jobs, order))
  if (typeof max === 'object') return ofOwn(running, due).slice(0, ofRate)
  if (max === undefined || by.length === 0) return due.slice(0, ofRate)
  return due.slice(0, Math.min(ofRate, Math.max(0, (limits.get(key) ?? max) - running.length)))
}

/** Who is next in line. */
function first(jobs: readonly ModelJob[], order: 'continue' | 'block'): string | undefined {
  const holds = (job: ModelJob) => isPending(job) || (order === 'block' && ['failed', 'timed_out'].includes(job.status))
  return jobs.filter(holds).toSorted((a, b) => a.turn - b.turn)[0]?.id
}

/** Until one has to wait by its own limit, or by that of one that runs. */
function ofOwn(running: readonly ModelJob[], due: readonly ModelJob[]): ModelJob[] {
  const taken: ModelJob[] = []
  for (const job of due) {
    const beside = [...running, ...taken, job]
    if (beside.length > Math.min(...beside.map(({ most }) => most))) break
    taken.push(job)
  }
  return taken
}

/** How many starts a token bucket has left. */
const left = (rate: Keyed['rate'], starts?: readonly number[]): number =>
  rate === undefined ? Number.POSITIVE_INFINITY : Math.floor(rate.burst - used(rate, starts) + 1e-6)

function used(rate: Rate, starts: readonly number[] = []): number {
  const { used, at } = starts.reduce(
    ({ used, at }, ago) => ({ used: Math.max(0, used - (at - ago) * perHour(rate)) + 1, at: ago }),
    { used: 0, at: Number.MAX_SAFE_INTEGER },
  )
  return Math.max(0, used - at * perHour(rate))
}

/** Hours until a rate of which some is used has a start more, when all that are left are taken; undefined: of none is any used. */
export function wait({ keyed, jobs, starts }: Situation, wanted: Wanted): number | undefined {
  const { rate, totalRate } = keyed
  const keys = visited(keyed, meant(jobs, wanted), wanted)
  const untilNext = (rate: Rate, key: string) => {
    const all = used(rate, starts.get(key))
    return all < 1e-6 ? 0 : (all + Math.max(0, left(rate, starts.get(key))) - rate.burst + 1) / perHour(rate)
  }
  const waits = [
    ...(rate === undefined ? [] : keys.map((key) => untilNext(rate, key))),
    ...(totalRate === undefined ? [] : [untilNext(totalRate, 'all')]),
  ].filter((wait) => wait > 0)
  return waits.length === 0 ? undefined : Math.min(...waits)
}
