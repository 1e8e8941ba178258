import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pictures } from './pictures/all.ts'
import { long, quick } from './plan.ts'
import { report } from './report.ts'
import type { Results } from './results.ts'
import { type SectionName, sections } from './sections.ts'
import { Server } from './server.ts'
import { targets } from './targets.ts'

/**
 * npm run bench -- [--quick] [--json FILE] [--plots FOLDER] [--only drain,held,latency,enqueue,work,growth,partitions,limits,telemetry,dashboard,idle]
 *
 * Measures us, our peers and the limit in one run on an embedded Postgres whose commits reach the disk; the contenders
 * take turns, and medians count. `--quick` takes 10 to 20 minutes.
 */
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    plots: { type: 'string' },
    only: { type: 'string' },
  },
})
const plan = values.quick ? quick : long
const names = values.only?.split(',') ?? Object.keys(sections)
const unknown = names.filter((name) => !(name in sections))
if (unknown.length > 0)
  throw new RangeError(`--only: there is ${Object.keys(sections).join(', ')}, no ${unknown.join()}`)

if (values.plots) mkdirSync(values.plots, { recursive: true }) // before anything is measured

const server = await Server.start()
try {
  const results: Results = {
    ...{ machine: await server.machine(), date: new Date().toISOString() },
    ...{
      drain: [],
      held: [],
      latency: [],
      enqueue: [],
      work: [],
      growth: [],
      partitions: [],
      limits: [],
      telemetry: [],
      dashboard: [],
      idle: [],
    },
  }
  for (const name of names as SectionName[]) {
    const start = performance.now()
    try {
      await sections[name](server, plan, results)
    } catch (error) {
      console.error(error) // what was measured before, and after, is worth its report
      process.exitCode = 1
    }
    console.error(`${name}: ${Math.round((performance.now() - start) / 1000)} s`)
  }
  console.log(report(results))
  if (values.json) writeFileSync(values.json, JSON.stringify({ ...results, targets: targets(results) }, null, 2))
  if (values.plots) for (const [name, svg] of pictures(results)) writeFileSync(join(values.plots, name), svg)
} finally {
  await server.stop()
}
