import type { Silence } from '../tables.ts'
import { type Limited, limited, type Move, type Promised, type Span } from './tables.ts'

/** What was found of one table. */
export interface Verdict {
  readonly breaches: readonly string[]
  readonly figures: Readonly<Record<string, string | number>>
}

/** A share of what is allowed, between two moments. */
export interface Period {
  readonly since: number
  readonly until: number
}

/** What rows and handlers say of the promise of a table. */
export function verdictOn(
  table: Limited,
  moves: readonly Move[],
  spans: readonly Span[],
  silences: readonly Silence[],
  period: Period,
): Verdict {
  const promised: Promised = limited[table]
  const told = spans.filter(({ ended, aborted }) => ended !== null && !aborted)
  const heard = told.filter((span) => !silences.some((silence) => isWithin(silence, span)))
  const handlers = heard.flatMap(({ tenant, begun, ended }) => [
    { tenant, at: begun, step: 1 as const },
    { tenant, at: ended ?? 0, step: -1 as const },
  ])
  const [rows, runs] = [mostAtOnce(moves), mostAtOnce(handlers)]
  const found = [
    ...over(`${table}: rows`, rows, promised),
    ...over(`${table}: handlers`, runs, promised),
    ...(promised.isLine ? outOfLine(table, moves) : []),
    ...(promised.rate ? overRate(table, moves, promised.rate) : []),
  ]
  const starts = moves.filter(({ step }) => step === 1).length
  const atOnce = promised.rate ? {} : { 'at once': `${rows.ofOne} of a key, ${rows.ofAll} in all` }
  const used = promised.isLine ? {} : { used: `${Math.round(100 * share(moves, promised, period))} %` }
  return { breaches: found, figures: { [table]: `${starts} starts`, ...prefixed(table, { ...atOnce, ...used }) } }
}

const prefixed = (table: string, figures: object) =>
  Object.fromEntries(Object.entries(figures).map(([name, figure]) => [`${table} ${name}`, figure]))

/** A handler that was about to begin when its process was stopped begins so long after it goes on, at most. */
const awakening = 1_000

/** Whether a process was stopped or killed while a handler ran, which then runs on beside the next, or never ends. */
const isWithin = ({ pid, since, until }: Silence, span: Span) =>
  pid === span.pid && since < (span.ended ?? 0) && span.begun < until + awakening

type Step = Pick<Move, 'tenant' | 'at' | 'step'>

function mostAtOnce(steps: readonly Step[]) {
  const running = new Map<number, number>()
  const most = { ofOne: 0, ofAll: 0 }
  let all = 0
  for (const { tenant, step } of steps.toSorted((a, b) => a.at - b.at || a.step - b.step)) {
    const ofOne = (running.get(tenant) ?? 0) + step
    running.set(tenant, ofOne)
    all += step
    most.ofOne = Math.max(most.ofOne, ofOne)
    most.ofAll = Math.max(most.ofAll, all)
  }
  return most
}

function over(whose: string, most: { ofOne: number; ofAll: number }, { ofOne, ofAll }: Promised): string[] {
  return [
    ...(most.ofOne > ofOne ? [`${whose}: ${most.ofOne} of one key ran at once, of ${ofOne} that may`] : []),
    ...(most.ofAll > ofAll ? [`${whose}: ${most.ofAll} ran at once, of ${ofAll} that may`] : []),
  ]
}

const byTenant = (moves: readonly Move[]) =>
  Map.groupBy(
    moves.filter(({ step }) => step === 1).toSorted((a, b) => a.at - b.at),
    ({ tenant }) => tenant,
  )

/** In each line a job begins again until it has ended, and then one that comes after it. */
function outOfLine(table: Limited, moves: readonly Move[]): string[] {
  return [...byTenant(moves)].flatMap(([tenant, starts]) =>
    starts.flatMap(({ place }, n) => {
      const before = starts[n - 1]?.place ?? 0
      return place === before || place === before + limited[table].tenants || n === 0
        ? []
        : [`${table}: in line ${tenant} job ${place} began after job ${before}`]
    }),
  )
}

/** Between when the first of some starts was asked for, and when the last was written, there are no more than come to it. */
function overRate(table: Limited, moves: readonly Move[], rate: { perSecond: number; burst: number }): string[] {
  return [...byTenant(moves)].flatMap(([tenant, starts]) =>
    starts.flatMap((first, n) => {
      const last = starts.findIndex(
        ({ at }, m) => m >= n && m - n + 1 > rate.burst + ((at - first.asked) / 1000) * rate.perSecond + 1e-3,
      )
      return last < 0 ? [] : [`${table}: ${last - n + 1} starts of ${tenant} in ${starts[last]!.at - first.asked} ms`]
    }),
  )
}

/** How much of what is allowed was used: of the places, the time in which a job had them; of a rate, the starts. */
function share(moves: readonly Move[], { ofAll, rate, tenants }: Promised, { since, until }: Period): number {
  const sorted = moves.toSorted((a, b) => a.at - b.at)
  if (rate !== undefined) {
    const starts = sorted.filter(({ step, at }) => step === 1 && at >= since && at <= until).length
    return starts / (((until - since) / 1000) * rate.perSecond * tenants)
  }
  let [running, at, used] = [0, since, 0]
  for (const move of sorted) {
    const now = Math.min(Math.max(move.at, since), until)
    used += running * (now - at)
    running += move.step
    at = now
  }
  return (used + running * (until - at)) / ((until - since) * ofAll)
}
