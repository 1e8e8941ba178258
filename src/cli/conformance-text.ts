import type { Conformance } from '../conformance/conform.js'
import type { Judged, Verdict } from '../conformance/promised.js'
import type { Home, Placement } from '../schema/engine.js'
import type { Paint } from './show/paint.js'
import { jsonText, safeText } from './show/safe-text.js'
import { tableText } from './show/table-text.js'

/** In words: polled is "polled for". */
const words: Readonly<Record<Verdict, string>> = {
  holds: 'holds',
  polled: 'polled for',
  absent: 'absent',
  broken: 'BROKEN',
}

/** What was found as people read it: the server, a line for each promise, and the reasons. */
export function conformanceText({ home, judged }: Conformance, paint: Paint): string {
  const colours: Readonly<Record<Verdict, Paint['good']>> = {
    holds: paint.good,
    polled: paint.warn,
    absent: paint.warn,
    broken: paint.bad,
  }
  const columns = [
    { title: 'PROMISE', text: ({ name }: Judged) => name },
    {
      title: 'RESULT',
      text: ({ verdict }: Judged) => words[verdict],
      paint: (text: string, { verdict }: Judged) => colours[verdict](text),
    },
    { title: 'WHAT IS PROMISED', text: ({ promise }: Judged) => promise },
  ]
  const reasons = judged.flatMap(({ name, verdict, reason }) =>
    reason === undefined ? [] : [`${paint.strong(name)} ${colours[verdict](words[verdict])}: ${safeText(reason)}\n`],
  )
  return [
    `${paint.strong(safeText(serverText(home)))}\n\n`,
    tableText(columns, judged, { title: paint.quiet }),
    ...(reasons.length > 0 ? ['\n', ...reasons] : []),
    `\n${summary(judged)}\n`,
  ].join('')
}

function serverText({ engine, placement }: Home): string {
  return `${engine.name} ${engine.version}${placed(placement)}`
}

function placed(placement: Placement): string {
  if (placement.kind === 'local') return ''
  return placement.kind === 'distributed'
    ? `, the table distributed by ${placement.by}`
    : `, the table on ${placement.kind}`
}

function summary(judged: readonly Judged[]): string {
  const counted = (Object.keys(words) as Verdict[]) // its keys are these
    .map((verdict) => [judged.filter((each) => each.verdict === verdict).length, words[verdict].toLowerCase()] as const)
    .filter(([count]) => count > 0)
  return counted.length === 0
    ? 'Nothing was tried.'
    : `${counted.map(([count, word]) => `${count} ${word}`).join(', ')}.`
}

/** The same for programs. */
export function conformanceJson({ home, judged }: Conformance): string {
  const { engine, placement } = home
  const server = { name: engine.name, version: engine.version, placement }
  return `${jsonText({ server, promises: judged }, 2)}\n`
}
