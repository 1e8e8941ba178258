import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

export const ink = '#222'
export const ownColor = '#1b7f5c'
export const peerColor = '#878d96'

const frame = { width: 760, marginTop: 76, marginBottom: 44, marginLeft: 250, marginRight: 60 }

/** A plot, and what stands above it. */
export interface Picture extends Plot.PlotOptions {
  readonly title: string
  /** How it is to be read. */
  readonly reading: string
  /** What the colors of its lines mean. */
  readonly legend?: readonly (readonly [name: string, color: string])[]
}

/** An SVG file, dark on white wherever it is shown. */
export function drawn({ title, reading, legend = [], ...options }: Picture): string {
  const { document } = parseHTML('<!doctype html><html></html>')
  const style = { fontSize: '12px', fontFamily: 'sans-serif', color: ink }
  const svg = Plot.plot({ document, style, ...frame, ...options })
  const add = (name: string, attributes: Readonly<Record<string, string | number>>, text = '') => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name)
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value))
    element.textContent = text
    return element
  }
  const start = { x: 16, fill: ink, 'text-anchor': 'start' }
  svg.prepend(add('title', {}, title), add('rect', { width: '100%', height: '100%', fill: '#fff' }))
  svg.append(
    add('text', { ...start, y: 22, 'font-size': 14, 'font-weight': 'bold' }, title),
    add('text', { ...start, y: 40 }, reading),
    ...legend.map(([name, fill], i) => add('text', { ...start, x: 16 + i * 90, y: 58, fill }, `\u2501 ${name}`)),
  )
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return `${short(svg.outerHTML)}\n`
}

/** A logarithmic axis from one tick to another: at powers of ten, and where there is room at 2 and 5 times these as well. */
export function logarithmic(values: readonly number[], hasRoom: boolean): Plot.ScaleOptions {
  const steps = hasRoom ? [1, 2, 5] : [1]
  const ticks = Array.from({ length: 12 }, (_, i) => 10 ** (i - 3)).flatMap((power) =>
    steps.map((step) => step * power),
  )
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const from = ticks.findLast((tick) => tick <= least) ?? least
  const to = ticks.find((tick) => tick >= most) ?? most
  const shown = ticks.filter((tick) => tick >= from && tick <= to)
  return { type: 'log', label: null, domain: [from, to], ticks: shown, tickFormat: numeral }
}

/** As 0.5, 20, 10k, 1M. */
export function numeral(tick: number): string {
  const [unit, sign] = tick >= 1e6 ? [1e6, 'M'] : tick >= 1e3 ? [1e3, 'k'] : [1, '']
  return `${Number((tick / unit).toPrecision(3))}${sign}`
}

/** Hundredths of a pixel will do. */
function short(svg: string): string {
  return svg.replace(/\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2))))
}
