import { now } from './clock.ts'
import { contenders } from './contenders/all.ts'
import { enqueueAtPace, enqueueQuickly } from './enqueueing.ts'
import { handlers } from './handlers.ts'
import type { Assignment, WorkAssignment, WorkReport } from './process.ts'

/**
 * A process in which one contender works or enqueues, so that its CPU and memory are its own. Its assignment is its
 * argument; it says when it is ready, begins when it is told to, and a worker reports when it is told to stop.
 */
const assignment: Assignment = JSON.parse(process.argv[2] ?? '')
const begin = told('begin')
const stop = told('stop')
tell({ ready: true })
await begin
if (assignment.kind === 'work') await work(assignment)
else tell({ report: await (assignment.kind === 'pace' ? enqueueAtPace(assignment) : enqueueQuickly(assignment)) })
process.disconnect()

async function work({ contender, url, workers, concurrency, handler, record }: WorkAssignment): Promise<void> {
  const starts: [n: number, at: number][] = []
  const report = { handled: 0, since: 0, before: 0 }
  const handle = handlers[handler]
  let cpu = process.cpuUsage()
  const measure = () => {
    report.since = now()
    report.before = report.handled
    cpu = process.cpuUsage()
  }
  void told('warm').then(measure)
  const counted = (payload: { readonly n: number }) => {
    if (record) starts.push([payload.n, now()])
    if (report.handled === 0) measure()
    report.handled += 1
    return handle()
  }
  const end = await contenders[contender].work(url, { workers, concurrency }, counted)
  tell({ working: true })
  const progress = setInterval(() => tell({ handled: report.handled }), 5)
  await stop
  clearInterval(progress)
  const { user, system } = process.cpuUsage(cpu)
  const final: WorkReport = { ...report, cpu: user + system, memory: process.resourceUsage().maxRSS, starts }
  tell({ report: final })
  await end()
}

function tell(message: object): void {
  process.send?.(message)
}

function told(word: string): Promise<void> {
  return new Promise((resolve) => process.on('message', (message) => message === word && resolve()))
}
