import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createReportTables, type ReportDatabase } from './reports.js'

const { db, url } = await testDatabase<ReportDatabase>(createReportTables)

/** A process with a runner of its own; some have a wall clock that jumps. */
function runnerProcess(jumping: boolean): ChildProcess {
  const clock = new URL('../chaos/jumping-clock.ts', import.meta.url).href
  const child = fork(new URL('schedule-process.ts', import.meta.url), [url], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: jumping ? ['--import', clock] : [],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

/** The slots that have jobs, as seconds of 1970, and how many jobs each has at most. */
async function slotsOf(name: string) {
  const { rows } = await sql<{ slot: number; jobs: number }>`
    select extract(epoch from scheduled_for)::int as slot, count(*)::int as jobs from report_jobs
    where kind = ${name} and pages = extract(epoch from scheduled_for)::int group by 1 order by 1`.execute(db)
  const [first = 0] = rows.map(({ slot }) => slot)
  return {
    count: rows.length,
    isWhole: rows.every(({ slot }, n) => slot === first + n),
    most: Math.max(...rows.map(({ jobs }) => jobs)),
  }
}

test('ten processes fire each slot of a second once, though their clocks jump and some are killed', async () => {
  const children = Array.from({ length: 10 }, (_, n) => runnerProcess(n % 3 === 0))
  await Promise.all(children.map((child) => once(child, 'message')))
  const counted = async () => (await slotsOf('a')).count
  await expect.poll(counted).toBeGreaterThan(3)
  for (const child of children.slice(0, 5)) child.kill('SIGKILL')
  // Their connections, and the transactions that they left open, end with them.
  const [before] = [await counted()]
  await expect.poll(counted, { timeout: 60_000 }).toBeGreaterThan(before + 3)
  const ended = children.slice(5).map((child) => once(child, 'exit'))
  for (const child of children.slice(5)) child.kill('SIGTERM')
  expect((await Promise.all(ended)).map(([code]) => code)).toEqual([0, 0, 0, 0, 0])
  for (const name of ['a', 'b']) expect(await slotsOf(name)).toMatchObject({ isWhole: true, most: 1 })
})
