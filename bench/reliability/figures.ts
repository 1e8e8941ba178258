import { seconds } from '../../test/chaos/scenario.ts'
import type { State } from './peer.ts'
import type { Play } from './trial.ts'

/** What one queue did, by what was looked at. */
export type Figures = Readonly<Record<string, string | number>>

/** A fault that all queues are put under. */
export interface Fault {
  readonly name: string
  readonly what: string
  play(play: Play): Promise<Figures>
}

/** A time, or that it did not come within its limit. */
export function within(limit: number, measured: number | undefined): string {
  return measured === undefined ? `none within ${limit / 1000} s` : seconds(measured)
}

/** How jobs stand, the usual first. */
export function standing({ done, failed, held, waiting }: Readonly<Record<State, number>>): string {
  const others = Object.entries({ failed, locked: held, waiting }).filter(([, count]) => count > 0)
  return [`${done} done`, ...others.map(([name, count]) => `${count} ${name}`)].join(', ')
}
