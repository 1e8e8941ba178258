import type { Kysely } from 'kysely'
import { listSchedules, type ScheduleState } from '../../schedule/by-hand.js'
import { ScheduleError, slotsOf } from '../../schedule/recurrence.js'
import { type JobDatabase, jobsOf } from '../../schema/job-database.js'
import { SideTableError } from '../../schema/side-table.js'
import type { Action } from '../access.js'
import { isLost } from '../lost-table.js'
import type { ListedTable } from '../options.js'
import { ColumnHeads } from '../parts/column-heads.js'
import { Head } from '../parts/head.js'
import { Empty, Notice } from '../parts/notice.js'
import type { Page, Visit } from '../parts/page.js'
import { Span, When } from '../parts/when.js'
import { address, seenTables } from '../site.js'

/** How many slots to come are shown of each. */
const shownSlots = 3

/** The recurring jobs of all tables. */
export async function schedulesPage(visit: Visit, db: Kysely<JobDatabase>): Promise<Page> {
  const asked = visit.query.get('asked')
  const main = (
    <>
      <Head title="Schedules" />
      {asked !== null && (
        <Notice tone="good" title={`${asked} runs now`}>
          Code gives the values of its jobs, so a runner that has the code makes this one, within half a minute.
        </Notice>
      )}
      <section class="sheet">{await schedulesOf(visit, db).catch(unlessMissing)}</section>
    </>
  )
  return { title: 'Schedules', main }
}

async function schedulesOf(visit: Visit, db: Kysely<JobDatabase>) {
  const found: Listed[] = []
  for (const table of seenTables(visit.site, visit.viewer)) {
    // The overview tells of a table that is gone; the schedules of the others go on.
    const schedules = await listSchedules(db, jobsOf(db, table.name).name).catch(noneOfLost)
    found.push(...schedules.map((schedule) => ({ table, schedule })))
  }
  if (found.length === 0)
    return (
      <Empty title="There are no recurring jobs">
        Declare one with schedule(...) and give it to createRunner, or add one with addSchedule.
      </Empty>
    )
  return (
    <div class="scroll">
      <table class="stacked">
        <ColumnHeads of={['Schedule', 'Recurrence', 'Last slot', 'Next slots', 'Missed slots']} actions />
        <tbody>{found.map((listed) => scheduleRow(visit, listed))}</tbody>
      </table>
    </div>
  )
}

function noneOfLost(error: unknown): [] {
  if (isLost(error)) return []
  throw error
}

interface Listed {
  readonly table: ListedTable
  readonly schedule: ScheduleState
}

function unlessMissing(error: unknown) {
  if (error instanceof SideTableError) return <Empty title="There can be no recurring jobs yet">{error.message}</Empty>
  throw error
}

function scheduleRow(visit: Visit, { table, schedule }: Listed) {
  const { name, lastSlot, lastJob, missed, skipIfUnfinished } = schedule
  const job = lastJob === undefined ? undefined : address(visit.site, ['tables', table.name, 'jobs', lastJob])
  return (
    <tr>
      <th scope="row">
        {name} <State schedule={schedule} />
        <div class="small">
          <a href={address(visit.site, ['tables', table.name])}>{table.title}</a>
        </div>
      </th>
      <td data-head="Recurrence">
        <Recurrence of={schedule} />
      </td>
      <td data-head="Last slot">
        <When at={lastSlot} now={visit.now} />
        {job !== undefined && (
          <div class="small">
            <a href={job}>its job</a>
          </div>
        )}
      </td>
      <td data-head="Next slots">
        <NextSlots of={schedule} now={visit.now} />
      </td>
      <td class="small" data-head="Missed slots">
        {missedTexts[missed]}
        {skipIfUnfinished && <div class="quiet">none while the last job is unfinished</div>}
      </td>
      <td>
        <Buttons visit={visit} table={table} schedule={schedule} />
      </td>
    </tr>
  )
}

const missedTexts = {
  skip: 'left out: slots that come while nothing runs make no jobs',
  once: 'one job for all slots that came while nothing ran',
  all: 'a job for each slot that came while nothing ran',
} as const

function State({ schedule }: { readonly schedule: ScheduleState }) {
  if (schedule.pausedAt !== undefined) return <span class="badge warn">Paused</span>
  if (schedule.undeclaredAt !== undefined) return <span class="badge warn">Not declared any more</span>
  return schedule.nextSlot === undefined ? <span class="badge">Over</span> : null
}

function Recurrence({ of: { cron, timeZone, every } }: { readonly of: ScheduleState }) {
  if (cron === undefined)
    return (
      <>
        every <Span of={every} />
      </>
    )
  return (
    <>
      <code>{cron}</code>
      <div class="quiet small">{timeZone}</div>
    </>
  )
}

/** In the schedule's zone, as its expression is read. */
function NextSlots({ of: schedule, now }: { readonly of: ScheduleState; readonly now: Date }) {
  const { nextSlot, pausedAt, timeZone } = schedule
  if (nextSlot === undefined || pausedAt !== undefined) return <span class="quiet">–</span>
  const slots = slotsFrom(nextSlot, schedule)
  if (typeof slots === 'string')
    return (
      <>
        <When at={nextSlot} now={now} />
        <div class="bad small">{slots}</div>
      </>
    )
  return (
    <>
      {slots.map((slot, place) => (
        <div class={place === 0 ? 'nowrap' : 'nowrap quiet small'}>
          {place === 0 && <When at={slot} now={now} />}
          {place === 0 && ', '}
          {inZone(slot, timeZone ?? 'UTC')}
        </div>
      ))}
    </>
  )
}

/** Or why this process can't tell: the zones that it knows may be others than those of the one that added the schedule. */
function slotsFrom(first: Date, { cron = null, every = null, timeZone = null }: Slotted): Date[] | string {
  const slots = [first]
  try {
    const { after } = slotsOf({ cron, every, timeZone })
    for (let next = after(first); next !== undefined && slots.length < shownSlots; next = after(next)) slots.push(next)
    return slots
  } catch (error) {
    if (error instanceof ScheduleError) return error.message
    throw error
  }
}

type Slotted = { readonly [Name in 'cron' | 'every' | 'timeZone']?: ScheduleState[Name] | null }

const inZone = (time: Date, timeZone: string) =>
  time.toLocaleString('en-GB', {
    timeZone,
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'short',
  })

function Buttons({ visit, table, schedule }: Listed & { readonly visit: Visit }) {
  if (!visit.viewer.may('schedule' satisfies Action, table.name)) return null
  const { name, pausedAt, declared } = schedule
  const button = (act: string, text: string) => (
    <button type="submit" name="act" value={act} class={act === 'remove' ? 'danger' : undefined}>
      {text}
    </button>
  )
  return (
    <form method="post" action={address(visit.site, ['schedules', table.name, name])} class="actions">
      {button('trigger', 'Run now…')}
      {pausedAt === undefined ? button('pause', 'Pause') : button('resume', 'Resume')}
      {!declared && button('remove', 'Remove…')}
    </form>
  )
}
