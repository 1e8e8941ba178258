import { spanText } from '../../observe/time-text.js'
import type { HistoryPoint } from '../../records/history.js'
import { Chart } from './chart.js'
import { durationTicks } from './duration-ticks.js'

/** The times that charts can show. Milliseconds. */
export const ranges = [
  { name: 'hour', text: 'Hour', length: 3_600_000, step: 'minute' },
  { name: 'day', text: 'Day', length: 86_400_000, step: 'hour' },
  { name: 'month', text: '30 days', length: 30 * 86_400_000, step: 'hour' },
] as const

/** What became of a table's jobs, how long they waited and ran, and how many waited. */
export function Activity({ points }: { readonly points: readonly HistoryPoint[] }) {
  const times = points.map(({ at }) => at)
  const counts = (count: (point: HistoryPoint) => number) =>
    points.map((point) => (point.recorded ? count(point) : null))
  const whole = (value: number) => value.toLocaleString('en')
  return (
    <div class="charts">
      <div>
        <h3>Attempts</h3>
        <Chart
          label="Attempts that succeeded and failed, over time"
          times={times}
          say={whole}
          isWhole
          series={[
            { name: 'succeeded', tone: 'tone-good', values: counts(({ succeeded }) => succeeded) },
            { name: 'failed, to be tried again', tone: 'tone-warn', values: counts(({ retry }) => retry) },
            { name: 'failed for good', tone: 'tone-bad', values: counts(({ failed, timedOut }) => failed + timedOut) },
          ]}
        />
      </div>
      <div>
        <h3>Backlog</h3>
        <Chart
          label="Due jobs, over time"
          times={times}
          say={whole}
          isWhole
          series={[{ name: 'due', tone: 'tone-1', values: points.map(({ due }) => due) }]}
        />
      </div>
      <div>
        <h3>Wait</h3>
        <Durations points={points} of="wait" label="How long jobs waited, over time" />
      </div>
      <div>
        <h3>Run time</h3>
        <Durations points={points} of="duration" label="How long handlers ran, over time" />
      </div>
    </div>
  )
}

interface DurationsOf {
  readonly points: readonly HistoryPoint[]
  readonly of: 'wait' | 'duration'
  readonly label: string
}

function Durations({ points, of, label }: DurationsOf) {
  return (
    <Chart
      label={label}
      times={points.map(({ at }) => at)}
      say={spanText}
      ticks={durationTicks}
      series={[
        { name: 'median', tone: 'tone-1', values: points.map((point) => point[of]?.p50 ?? null) },
        { name: '95th percentile', tone: 'tone-warn', values: points.map((point) => point[of]?.p95 ?? null) },
        { name: '99th percentile', tone: 'tone-quiet', values: points.map((point) => point[of]?.p99 ?? null) },
      ]}
    />
  )
}
