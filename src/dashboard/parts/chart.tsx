import { scaleLinear, scaleUtc } from 'd3-scale'
import { area, line } from 'd3-shape'

/** One line of a chart; null where nothing is known. */
export interface Series {
  readonly name: string
  readonly tone: 'tone-1' | 'tone-good' | 'tone-bad' | 'tone-warn' | 'tone-quiet'
  readonly values: readonly (number | null)[]
}

export interface ChartOf {
  /** What it shows, for those who can't see it. */
  readonly label: string
  readonly times: readonly Date[]
  readonly series: readonly Series[]
  /** How a value is said, on the axis and on hover. */
  readonly say: (value: number) => string
  /** The values of the axis, from 0 to one that is not below the highest. Default: round numbers. */
  readonly ticks?: (highest: number) => readonly number[]
  /** Values are whole numbers. */
  readonly isWhole?: boolean
  /** Filled below its line, where there is but one. */
  readonly filled?: boolean
}

const [width, height] = [640, 180]
const inner = { left: 52, right: width - 8, top: 10, bottom: height - 22 } as const

/** Lines over time, as a picture that needs no script; each moment tells its values on hover. */
export function Chart(of: ChartOf) {
  const { label, times, series, say, isWhole = false, filled = series.length === 1 } = of
  const [from, to] = [times[0], times.at(-1)]
  const highest = Math.max(0, ...series.flatMap(({ values }) => values.map((value) => value ?? 0)))
  if (from === undefined || to === undefined || series.every(({ values }) => values.every((value) => value === null)))
    return <p class="empty">Nothing was recorded in this time.</p>
  const x = scaleUtc([from, to], [inner.left, inner.right])
  const given = of.ticks?.(highest)
  const top = given?.at(-1) ?? (highest === 0 ? 1 : highest)
  const linear = scaleLinear([0, top], [inner.bottom, inner.top])
  const y = given === undefined ? linear.nice(4) : linear
  return (
    <figure class="stack">
      <svg class="chart" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
        {(given ?? y.ticks(4))
          .filter((value) => !isWhole || Number.isInteger(value))
          .map((value) => (
            <>
              <line class="grid-line" x1={inner.left} x2={inner.right} y1={y(value)} y2={y(value)} />
              <text x={inner.left - 8} y={y(value) + 4} text-anchor="end">
                {say(value)}
              </text>
            </>
          ))}
        {x.ticks(6).map((time, n) => (
          <text class={n % 2 === 1 ? 'between' : 'moment'} x={x(time)} y={height - 5} text-anchor="middle">
            {clockText(time, to.getTime() - from.getTime())}
          </text>
        ))}
        {series.map((each) => (
          <Line series={each} times={times} x={x} y={y} filled={filled} />
        ))}
        {times.map((time, place) => (
          <Slot times={times} place={place} x={x} text={slotText(time, place, series, say)} />
        ))}
      </svg>
      {series.length > 1 && (
        <ul class="legend">
          {series.map(({ name, tone }) => (
            <li class={tone}>{name}</li>
          ))}
        </ul>
      )}
    </figure>
  )
}

interface Scales {
  readonly times: readonly Date[]
  readonly x: (time: Date) => number
  readonly y: (value: number) => number
}

function Line({ series, times, x, y, filled }: Scales & { readonly series: Series; readonly filled: boolean }) {
  const points = times.map((time, place) => ({ time, value: series.values[place] ?? null }))
  const isKnown = ({ value }: (typeof points)[number]) => value !== null
  const xOf = ({ time }: (typeof points)[number]) => round(x(time))
  const yOf = ({ value }: (typeof points)[number]) => round(y(value ?? 0))
  // A line of one point can't be seen.
  const lone = points.filter(
    (point, n) => isKnown(point) && points[n - 1]?.value == null && points[n + 1]?.value == null,
  )
  const path = line<(typeof points)[number]>(xOf, yOf).defined(isKnown)(points)
  const below = area<(typeof points)[number]>(xOf, inner.bottom, yOf).defined(isKnown)(points)
  return (
    <g class={series.tone}>
      {filled && <path class="area" d={below ?? undefined} />}
      <path class="line" d={path ?? undefined} />
      {lone.map((point) => (
        <circle class="bar-of" cx={xOf(point)} cy={yOf(point)} r="2" />
      ))}
    </g>
  )
}

/** What is around a moment, on which its values are told. */
function Slot(props: { times: readonly Date[]; place: number; x: (time: Date) => number; text: string }) {
  const { times, place, x, text } = props
  const at = (n: number) => x(times[Math.min(times.length - 1, Math.max(0, n))] ?? new Date(0))
  const [left, right] = [(at(place - 1) + at(place)) / 2, (at(place) + at(place + 1)) / 2]
  return (
    <rect
      class="slot"
      x={round(left)}
      y={inner.top}
      width={round(Math.max(1, right - left))}
      height={inner.bottom - inner.top}
    >
      <title>{text}</title>
    </rect>
  )
}

function slotText(time: Date, place: number, series: readonly Series[], say: ChartOf['say']): string {
  const values = series.map(({ name, values }) => `${name}: ${values[place] == null ? '–' : say(values[place] ?? 0)}`)
  return [`${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`, ...values].join('\n')
}

/** Of a time within a day the clock, of one within a month the day. */
function clockText(time: Date, length: number): string {
  const iso = time.toISOString()
  return length <= 2 * 86_400_000 ? iso.slice(11, 16) : iso.slice(5, 10)
}

const round = (value: number) => Math.round(value * 10) / 10

/** A few values as a line without axes. */
export function Sparkline({ label, values }: { readonly label: string; readonly values: readonly number[] }) {
  const highest = Math.max(1, ...values)
  const points = values.map((value, place) => [place * 4, 24 - (value / highest) * 22] as const)
  return (
    <svg class="chart spark" viewBox={`0 0 ${Math.max(1, (values.length - 1) * 4)} 26`} role="img" aria-label={label}>
      <g class="tone-bad">
        <path
          class="area"
          d={
            area<readonly [number, number]>(
              ([x]) => x,
              25,
              ([, y]) => y,
            )([...points]) ?? undefined
          }
        />
        <path class="line" d={line<readonly [number, number]>()(points.map(([x, y]) => [x, y])) ?? undefined} />
      </g>
    </svg>
  )
}
