import type { Mutant } from './mutant.ts'
import type { HandlerOutcome } from './verdict.ts'

/** A fault that was put in, and what came of it. */
export interface Trial {
  readonly mutant: Mutant
  readonly verdict: HandlerOutcome
}

/** Whether a test failed for it. */
export function isCaught({ verdict: { kind } }: Trial): boolean {
  return kind === 'caught' || kind === 'hung'
}

/** A line of the table: the fault, and which test caught it. */
export function row({ mutant: { name }, verdict }: Trial, width: number): string {
  return `${name.padEnd(width)}  ${verdict.kind === 'caught' ? '' : `${words[verdict.kind]}  `}${'by' in verdict ? verdict.by : ''}`.trimEnd()
}

const words = { hung: 'HUNG', survived: 'SURVIVED', void: 'NO VERDICT' } as const

/** How many were caught, and by name those that were not. */
export function summary(trials: readonly Trial[]): string[] {
  const count = (kind: HandlerOutcome['kind']) => trials.filter(({ verdict }) => verdict.kind === kind).length
  const loose = trials.filter((trial) => !isCaught(trial))
  return [
    ...loose.flatMap(({ mutant: { name, file, breaks, test }, verdict }) => [
      `${words[verdict.kind as 'survived' | 'void']}  ${name} (${file}): ${breaks}. ${test} did not fail`,
      ...(verdict.kind === 'void' ? [verdict.output] : []),
    ]),
    `${count('caught')} caught, ${count('hung')} hung, ${loose.length} not caught`,
  ]
}
