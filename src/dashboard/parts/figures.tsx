import type { Count, TableOverview } from '../../observe/overview.js'
import type { ShownState } from '../../observe/shown-state.js'
import type { ListedTable } from '../options.js'
import { address } from '../site.js'
import type { Visit } from './page.js'
import { Span } from './when.js'

interface FiguresOf {
  readonly visit: Visit
  readonly listed: ListedTable
  readonly overview: TableOverview
}

/** How many jobs of a table are where, each as the way to those. */
export function Figures({ visit, listed, overview }: FiguresOf) {
  const figure = (word: string, count: Count | undefined, state: ShownState, where?: string) => {
    const query: [string, string][] = [['state', state]]
    if (where !== undefined) query.push(['where', where])
    return (
      <div>
        <dt>{word}</dt>
        <dd>
          <a href={address(visit.site, ['tables', listed.name], query)}>{countText(count)}</a>
        </dd>
      </div>
    )
  }
  const { due, oldestWait, running, retrying, scheduled, failedLastHour, failedLastDay, succeededLastHour } = overview
  return (
    <dl class="figures">
      {figure('Due now', due, 'due')}
      <div>
        <dt>Oldest wait</dt>
        <dd>{oldestWait === 0 ? <span class="quiet">none</span> : <Span of={oldestWait} />}</dd>
      </div>
      {figure('Running', running, 'running')}
      {figure('Retrying', retrying, 'retrying')}
      {figure('Scheduled', scheduled, 'scheduled')}
      {succeededLastHour !== undefined && (
        <div>
          <dt>Succeeded, 1 h</dt>
          <dd>{succeededLastHour.toLocaleString('en')}</dd>
        </div>
      )}
      {figure('Failed, 1 h', failedLastHour, 'failed', 'updated_at>-1h')}
      {figure('Failed, 24 h', failedLastDay, 'failed', 'updated_at>-24h')}
    </dl>
  )
}

/** `12`, `10,000+`, `~1,234,567`; an en dash where it can't be known. */
export function countText(count: Count | undefined): string {
  if (count === undefined) return '–'
  const text = count.count.toLocaleString('en')
  return count.is === 'at least' ? `${text}+` : count.is === 'estimated' ? `~${text}` : text
}
