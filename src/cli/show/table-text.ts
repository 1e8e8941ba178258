import { safeText } from './safe-text.js'
import { cutTo, padded, widthOf } from './text-width.js'

/** A column of a table that is printed. */
export interface Column<Row> {
  readonly title: string
  readonly text: (row: Row) => string
  /** Numbers stand at the right, so that their digits align. */
  readonly isNumber?: boolean
  /** It is cut where the terminal is narrow, down to so many characters. */
  readonly least?: number
  readonly paint?: (text: string, row: Row) => string
}

const gap = '  '
const tries = 1_000

/**
 * Rows as the lines of a table whose columns align. Each text is made safe.
 * @param width of the terminal; undefined: nothing is cut
 */
export function tableText<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  {
    width,
    title = (text) => text,
  }: { readonly width?: number | undefined; readonly title?: (text: string) => string } = {},
): string {
  const cells = rows.map((row) => columns.map(({ text }) => safeText(text(row))))
  const widths = columns.map(({ title }, n) =>
    cells.reduce((most, texts) => Math.max(most, widthOf(texts[n] ?? '')), widthOf(title)),
  )
  if (width !== undefined) narrow(widths, columns, width)
  const line = (texts: readonly string[], paint: (text: string, n: number) => string) =>
    texts
      .map((text, n) => {
        const [most = 0, isNumber = false] = [widths[n], columns[n]?.isNumber]
        const isLast = n === texts.length - 1 && !isNumber
        const cut = cutTo(text, most)
        return paint(isLast ? cut : padded(cut, most, isNumber), n)
      })
      .join(gap)
      .trimEnd()
  const titles = columns.map(({ title }) => title)
  const lines = cells.map((texts, at) => {
    const row = rows[at] as Row // each has its cells
    return line(texts, (text, n) => columns[n]?.paint?.(text, row) ?? text)
  })
  return [line(titles, title), ...lines].map((each) => `${each}\n`).join('')
}

/** Takes from the widest column that can be cut, until the line fits or none can. */
function narrow<Row>(widths: number[], columns: readonly Column<Row>[], width: number): void {
  const taken = () => widths.reduce((sum, each) => sum + each, gap.length * (widths.length - 1))
  for (let n = 0; n < tries && taken() > width; n++) {
    const spare = widths.map((each, place) => ({
      place,
      each,
      least: columns[place]?.least ?? Number.POSITIVE_INFINITY,
    }))
    const [widest] = spare.filter(({ each, least }) => each > least).toSorted((a, b) => b.each - a.each)
    if (widest === undefined) return
    widths[widest.place] = widest.each - 1
  }
}
