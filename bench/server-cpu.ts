import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts a process' time in hundredths of a second, also on machines whose clock ticks otherwise. */
const tick = 10_000

/** Microseconds of CPU that a server and all its processes have used so far; NaN where the system does not tell. */
export function serverCpu(backend: number): number {
  try {
    const server = usage(backend).parent
    const { own, ended } = usage(server)
    const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    const alive = children.map((name) => usageOfChild(Number(name), server))
    return (own + ended + alive.reduce((sum, ticks) => sum + ticks, 0)) * tick
  } catch {
    return Number.NaN
  }
}

function usageOfChild(process: number, parent: number): number {
  try {
    const usageNow = usage(process)
    return usageNow.parent === parent ? usageNow.own + usageNow.ended : 0
  } catch {
    return 0 // it ended while we looked
  }
}

/** What /proc says of a process, in ticks: its own time, and that of its children that have ended. */
function usage(process: number) {
  const stat = readFileSync(`/proc/${process}/stat`, 'utf8')
  const [, parent = 0, ...fields] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(9, 13)
  return { parent, own: user + system, ended: endedUser + endedSystem }
}
