/** Bars that belong together, each with its name and value. */
export interface Series {
  readonly title: string
  readonly bars: readonly { readonly name: string; readonly value: number; readonly own: boolean }[]
}

const [width, left, barLeft, barWidth] = [760, 16, 250, 420]
const [line, gap] = [20, 34]

/** Horizontal bars, one group under the other, each at a scale of its own; readable on white and on black. */
export function bars(title: string, series: readonly Series[]): string {
  const parts = [text(left, 26, title, 'font-weight="bold"')]
  let y = 26
  for (const group of series) {
    const longest = Math.max(...group.bars.map(({ value }) => value))
    y += gap
    parts.push(text(left, y, group.title, 'font-style="italic"'))
    for (const { name, value, own } of group.bars) {
      y += line
      const length = Math.max(1, (value / longest) * barWidth)
      parts.push(
        text(left, y, name),
        `<rect x="${barLeft}" y="${y - 12}" width="${length.toFixed(1)}" height="14" fill="${own ? '#2f7d5b' : '#8a8f98'}"/>`,
        text(barLeft + length + 6, y, value.toLocaleString('en')),
      )
    }
  }
  const frame = `xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y + 20}" viewBox="0 0 ${width} ${y + 20}"`
  return `<svg ${frame} font-family="sans-serif" font-size="13">\n<title>${escaped(title)}</title>\n<rect width="100%" height="100%" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(0)}" y="${y}" fill="#222" ${attributes}>${escaped(content)}</text>`
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
