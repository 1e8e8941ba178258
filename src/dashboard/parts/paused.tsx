import type { OneJob } from '../../observe/one-job.js'
import type { Pause } from '../../queue/pauses.js'
import type { SeenTable } from '../seen-table.js'
import { address } from '../site.js'
import { KeyText } from './key.js'
import { Notice } from './notice.js'
import type { Visit } from './page.js'

interface PausedOf {
  readonly visit: Visit
  readonly seen: SeenTable
  readonly pauses: readonly Pause[]
}

/** So many keys are named. */
const mostNamed = 5

/** That jobs of a list don't begin, and where that ends. */
export function PausedNotice({ visit, seen, pauses }: PausedOf) {
  if (pauses.length === 0) return null
  return (
    <Notice tone="warn" title="Paused: no job of these begins until it is resumed">
      <ul class="chips">
        {pauses.slice(0, mostNamed).map(({ where, reason }) => (
          <li>
            <KeyText of={where} all="the whole table" hidden={seen.hidden} />
            {reason !== undefined && ` (${reason})`}
          </li>
        ))}
        {pauses.length > mostNamed && <li>and {pauses.length - mostNamed} more</li>}
      </ul>
      <a href={address(visit.site, ['tables', seen.listed.name, 'steering'])}>Pauses and limits</a>
    </Notice>
  )
}

/** The pause by which a job does not begin. */
export function pauseOf(job: Pick<OneJob, 'state' | 'values'>, pauses: readonly Pause[]): Pause | undefined {
  if (!['due', 'scheduled', 'retrying'].includes(job.state ?? '')) return undefined
  return pauses.find(({ where = {} }) =>
    Object.entries(where).every(([name, value]) => job.values.get(name)?.text === value),
  )
}
