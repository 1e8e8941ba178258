import type { TableOverview } from '../observe/overview.js'
import { spanText } from '../observe/time-text.js'
import type { HistoryPoint } from '../records/history.js'
import type { CheckedTable, Warning } from './warning.js'

interface Known {
  readonly overview: TableOverview
  /** Of the last hour, by minutes. */
  readonly points: readonly HistoryPoint[] | undefined
  /** Of the last minute; undefined before the first. */
  readonly checked: CheckedTable | undefined
}

type Check = (known: Known) => Warning | readonly Warning[] | undefined

/** What is not as it should be with a table. Where it is seen just now and was found by the doctor too, what has the SQL that mends it is told. */
export function warningsOf(known: Known): Warning[] {
  const now = checks.flatMap((check) => check(known) ?? [])
  const found = known.checked?.found ?? []
  const isTold = (some: readonly Warning[], { code }: Warning) => some.some((each) => code && each.code === code)
  const mending = found.filter(({ sql }) => sql !== undefined)
  return [
    ...now.filter((each) => !isTold(mending, each)),
    ...found.filter((each) => mending.includes(each) || !isTold(now, each)),
  ]
}

const checks: readonly Check[] = [away, unserved, paused, pausedKeys, growing, failing, erring, leases, deaf, unindexed]

function away({ overview: { away } }: Known): Warning | undefined {
  if (away === undefined) return undefined
  const remedy = 'Its jobs wait until that server is back; they and what others have done of them are kept there.'
  return { tone: 'bad', what: "this table's jobs can not be looked at", why: `${away}.`, remedy }
}

function unserved({ overview: { workers, due } }: Known): Warning | undefined {
  if (workers === undefined || workers.length > 0 || !due?.count) return undefined
  return {
    tone: 'bad',
    code: 'unserved-jobs',
    what: 'jobs are due and no runner works this table',
    remedy: 'Start a program whose createRunner has a worker of this table, or look why it stopped.',
  }
}

function paused({ overview: { paused, pauses } }: Known): Warning | undefined {
  const reason = pauses?.find(({ where }) => where === undefined)?.reason
  if (!paused) return undefined
  const why = reason === undefined ? '' : ` (${reason})`
  const remedy = 'No job begins until it is resumed, under "Pauses and limits".'
  return { tone: 'warn', what: `paused${why}`, remedy, page: 'steering' }
}

/** The keys themselves are told where it is known what is hidden. */
function pausedKeys({ overview: { pauses = [] } }: Known): Warning | undefined {
  const { length } = pauses.filter(({ where }) => where !== undefined)
  if (length === 0) return undefined
  const what = length === 1 ? '1 key is paused' : `${length.toLocaleString('en')} keys are paused`
  return { tone: 'warn', what, remedy: 'No job of a paused key begins until it is resumed.', page: 'steering' }
}

/** So many due jobs more than half an hour ago, and twice as many. */
const fewestMore = 100

function growing({ points = [], overview: { paused } }: Known): Warning | undefined {
  const due = points.flatMap(({ due }) => due ?? [])
  const [before = 0, now = 0] = [due.at(-31) ?? due[0], due.at(-1)]
  if (paused || now < before * 2 || now - before < fewestMore) return undefined
  return {
    tone: 'warn',
    what: `the backlog grows: ${now.toLocaleString('en')} jobs are due, ${before.toLocaleString('en')} were half an hour ago`,
    remedy:
      'More jobs come than end: give workers a higher concurrency, start more of them, or look at run times and errors.',
  }
}

const fewestFailures = 10

function failing({ overview: { failedLastHour, succeededLastHour } }: Known): Warning | undefined {
  const failed = failedLastHour?.count ?? 0
  const all = failed + (succeededLastHour ?? 0)
  if (failed < fewestFailures || succeededLastHour === undefined || failed * 10 < all) return undefined
  return {
    tone: 'bad',
    what: `${Math.round((failed / all) * 100)} % of the jobs that ended in the last hour failed for good`,
    remedy: 'The page "Errors" has them by their message; a kind that is mended can be retried there at once.',
    page: 'errors',
  }
}

/** So many kinds of errors are told. */
const mostKinds = 3

/** Those that are to be retried are among them: when the last of them has failed for good it is late. */
function erring({ checked, overview: { succeededLastHour = 0 } }: Known): Warning[] {
  const counted = (checked?.errors ?? []).map((group) => ({ ...group, lately: group.hours.at(-1) ?? 0 }))
  return counted
    .filter(({ lately }) => lately >= fewestFailures && lately * 10 >= lately + succeededLastHour)
    .toSorted((a, b) => b.lately - a.lately)
    .slice(0, mostKinds)
    .map(({ lately, message, fingerprint }) => ({
      tone: 'warn',
      what: `${lately.toLocaleString('en')} jobs failed in the last hour by one kind of error: ${shortened(message)}`,
      remedy: 'Look at one of them. Once it is mended, all of the kind can be retried at once.',
      fingerprint,
    }))
}

const longestMessage = 200

const shortened = (text: string) => (text.length > longestMessage ? `${text.slice(0, longestMessage)}…` : text)

function leases({ overview: { workers = [] } }: Known): Warning | undefined {
  const times = [...new Set(workers.map(({ lease }) => lease))].sort((a, b) => a - b)
  if (times.length < 2) return undefined
  return {
    tone: 'warn',
    code: 'leases-differ',
    what: `workers have different leases: ${times.map(spanText).join(', ')}`,
    remedy: 'It works, but jobs of dead workers wait differently long: give all workers of a table the same lease.',
  }
}

function deaf({ overview: { workers = [] } }: Known): Warning | undefined {
  const deaf = workers.filter(({ listener }) => listener !== 'listening' && listener !== 'off')
  if (deaf.length === 0) return undefined
  return {
    tone: 'warn',
    what: `${deaf.length} of ${workers.length} workers don't hear of new jobs and poll for them`,
    remedy:
      'Their LISTEN has no connection, or goes through a pooler in transaction mode: give listen the server itself.',
  }
}

function unindexed({ overview: { due, running, away } }: Known): Warning | undefined {
  if (away !== undefined || (due !== undefined && running !== undefined)) return undefined
  return {
    tone: 'bad',
    code: 'missing-index',
    what: 'an index is missing by which jobs are found',
    remedy: 'Let a migration call createJobIndexes(db, table) of kysely-jobs/migrate.',
  }
}
