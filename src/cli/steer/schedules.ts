import { nearest } from '../../observe/nearest.js'
import { spanText } from '../../observe/time-text.js'
import {
  listSchedules,
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
  type ScheduleState,
  triggerSchedule,
} from '../../schedule/by-hand.js'
import { jobsOf } from '../../schema/job-database.js'
import type { ExitCode } from '../cli-command.js'
import { type CliTable, type Opened, type Place, tableNamed, withTables } from '../open/tables.js'
import { paintFor } from '../show/paint.js'
import { jsonText, safeText } from '../show/safe-text.js'
import { tableText } from '../show/table-text.js'
import { complain } from '../show/tell.js'
import { type Times, timeText } from '../show/times.js'
import { OptionError, type Terminal } from '../terminal.js'

interface SchedulesOptions extends Place {
  readonly json?: boolean | undefined
  readonly utc?: boolean | undefined
  readonly table?: string | undefined
}

/** `kysely-jobs schedules` */
export async function schedules(
  options: SchedulesOptions,
  terminal: Terminal,
  [verb, ...given]: readonly string[],
): Promise<ExitCode> {
  const [first, second] = given
  if (verb === undefined || (verb === 'list' && second === undefined)) {
    return list(options, terminal, first ?? options.table)
  }
  if (!isVerb(verb))
    throw new OptionError('There are schedules pause, resume, run and remove; without one they are listed')
  const [table = options.table, name] = second === undefined ? [undefined, first] : [first, second]
  if (name === undefined) throw new OptionError(`Which one? Say schedules ${verb} <name>`)
  return withTables(options, terminal, (opened) =>
    change(opened, terminal, { verb, table, name, json: options.json ?? false }),
  )
}

const verbs = {
  pause: async (jobs, name) => {
    await pauseSchedule(jobs.db, jobs.name, name)
    return { said: 'is paused' }
  },
  resume: async (jobs, name) => {
    await resumeSchedule(jobs.db, jobs.name, name)
    return { said: 'is resumed' }
  },
  run: async (jobs, name) => {
    const job = await triggerSchedule(jobs.db, jobs.name, name)
    if (job === undefined) return { said: 'makes a job as soon as a runner that declares it hears of it', job: null }
    return { said: `made the job ${String(job.id)}`, job: String(job.id) }
  },
  remove: async (jobs, name) => {
    const wasThere = await removeSchedule(jobs.db, jobs.name, name)
    return wasThere ? { said: 'is removed; one that code declares comes back when a runner starts' } : undefined
  },
} satisfies Record<string, (jobs: ReturnType<typeof jobsOf>, name: string) => Promise<Done | undefined>>

interface Done {
  readonly said: string
  /** The id of the job that was made; null: another will make it. */
  readonly job?: string | null
}

const isVerb = (text: string): text is keyof typeof verbs => Object.hasOwn(verbs, text)

interface Change {
  readonly verb: keyof typeof verbs
  /** Undefined: the one that has a schedule of this name. */
  readonly table: string | undefined
  readonly name: string
  readonly json: boolean
}

async function change(
  opened: Opened,
  { stdout, stderr }: Terminal,
  { verb, table, name, json }: Change,
): Promise<ExitCode> {
  const { written } = table === undefined ? await tableOf(opened, name) : tableNamed(opened, table)
  const done: Done | undefined = await verbs[verb](jobsOf(opened.db, written), name)
  if (done === undefined) {
    complain(stderr, `There is no schedule ${JSON.stringify(name)} of ${written}`)
    return 1
  }
  const { said, ...more } = done
  stdout.write(
    json ? `${jsonText({ table: written, name, verb, ...more })}\n` : `${safeText(`${name} of ${written} ${said}`)}\n`,
  )
  return 0
}

/** @throws OptionError where no table, or several, has a schedule of this name */
async function tableOf({ db, tables }: Opened, name: string): Promise<CliTable> {
  const all = await listSchedules(db)
  const having = new Set(all.filter((each) => each.name === name).map(({ table }) => table))
  const found = tables.filter(({ table }) => having.has(shownName(table)))
  const [only, ...others] = found
  if (only !== undefined && others.length === 0) return only
  if (only !== undefined) {
    const places = found.map(({ written }) => written).join(', ')
    throw new OptionError(`There is a schedule ${JSON.stringify(name)} of each of ${places}: give --table`)
  }
  const names = all.map((each) => each.name)
  const near = nearest(name, names)
  const remedy = near === undefined ? `there are ${names.join(', ') || 'none'}` : `did you mean ${near}?`
  throw new OptionError(`There is no schedule ${JSON.stringify(name)}; ${remedy}`)
}

/** As the list of schedules has it. */
const shownName = ({ schema, name }: CliTable['table']) => (schema === 'public' ? name : `${schema}.${name}`)

async function list(options: SchedulesOptions, terminal: Terminal, named: string | undefined): Promise<0> {
  const found = await withTables(options, terminal, async (opened) => {
    const { db } = opened
    if (named === undefined) return listSchedules(db)
    return listSchedules(db, jobsOf(db, tableNamed(opened, named).written).name)
  })
  if (options.json) terminal.stdout.write(`${jsonText({ schedules: found }, 2)}\n`)
  else if (found.length === 0) terminal.stdout.write('There are no schedules.\n')
  else terminal.stdout.write(schedulesText(found, { now: new Date(), isUtc: options.utc ?? false }, terminal))
  return 0
}

function schedulesText(found: readonly ScheduleState[], times: Times, terminal: Terminal): string {
  const paint = paintFor(terminal.stdout, terminal)
  return tableText<ScheduleState>(
    [
      { title: 'TABLE', text: ({ table }) => table, least: 12 },
      { title: 'NAME', text: ({ name }) => name, least: 12 },
      { title: 'WHEN', text: recurrence },
      { title: 'LAST', text: ({ lastSlot }) => timeText(lastSlot, times) },
      {
        title: 'NEXT',
        text: ({ nextSlot, pausedAt }) => (pausedAt === undefined ? timeText(nextSlot, times) : 'paused'),
      },
      { title: 'LAST JOB', text: ({ lastJob }) => lastJob ?? '-' },
      { title: 'BY', text: ({ declared, undeclaredAt }) => (undeclaredAt ? 'code, gone' : declared ? 'code' : 'hand') },
    ],
    found,
    { width: terminal.stdout.columns, title: paint.quiet },
  )
}

function recurrence({ cron, timeZone, every }: ScheduleState): string {
  if (cron === undefined) return `every ${spanText(every ?? 0)}`
  return timeZone === undefined ? cron : `${cron} ${timeZone}`
}
