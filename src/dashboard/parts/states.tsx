import type { ShownState } from '../../observe/shown-state.js'
import { shownStates } from '../../observe/shown-state.js'
import type { JobCounts } from '../../queue/count.js'
import type { JobStatus } from '../../schema/statuses.js'
import { type ListQuery, listAddress } from '../list-query.js'
import { address } from '../site.js'
import type { Visit } from './page.js'

/** What people read of each state. */
export const stateLabels: Readonly<Record<ShownState, string>> = {
  running: 'Running',
  due: 'Due',
  scheduled: 'Scheduled',
  retrying: 'Retrying',
  failed: 'Failed',
  timedOut: 'Timed out',
  cancelled: 'Cancelled',
  succeeded: 'Succeeded',
}

const tones: Readonly<Record<ShownState, string>> = {
  running: 'info',
  due: '',
  scheduled: '',
  retrying: 'warn',
  failed: 'bad',
  timedOut: 'bad',
  cancelled: '',
  succeeded: 'good',
}

export function StateBadge({ state }: { readonly state: ShownState | undefined }) {
  if (state === undefined) return <span class="badge bad">Unknown status</span>
  return <span class={`badge ${tones[state]}`}>{stateLabels[state]}</span>
}

/** The states of a table's jobs, each with how many there are, as the way to those. */
export function StateTabs(props: {
  readonly visit: Visit
  readonly path: readonly string[]
  readonly list: ListQuery
  readonly counts: JobCounts
}) {
  const { visit, path, list, counts } = props
  const tab = (state: ShownState | undefined, text: string, count?: string) => (
    <a
      href={address(visit.site, path, listAddress(list, { state }))}
      aria-current={list.state === state ? 'page' : undefined}
    >
      {text} {count !== undefined && <span class="count">{count}</span>}
    </a>
  )
  return (
    <nav class="states" aria-label="States">
      {tab(undefined, 'All')}
      {shownStates.map((state) => tab(state, stateLabels[state], countText(counts, state)))}
    </nav>
  )
}

const statusOf: Readonly<Record<Exclude<ShownState, 'due'>, JobStatus>> = {
  running: 'job_status_running',
  scheduled: 'job_status_not_started',
  retrying: 'job_status_retry',
  failed: 'job_status_failed',
  timedOut: 'job_status_timed_out',
  cancelled: 'job_status_cancelled',
  succeeded: 'job_status_succeeded',
}

/** `12`, `10,000+`, `about 1,234,567`. */
export function countText({ statuses, atLeast, estimated, ...counts }: JobCounts, state: ShownState): string {
  const kind = state === 'due' ? state : statusOf[state]
  const count =
    state === 'due' || state === 'scheduled' || state === 'retrying' ? counts[state] : statuses[statusOf[state]]
  const text = count.toLocaleString('en')
  if (estimated.some((each) => each === kind)) return `about ${text}`
  return atLeast.includes(kind) ? `${text}+` : text
}
