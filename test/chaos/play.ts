import { seeded } from './random.ts'
import type { Result, Scenario, Stage } from './scenario.ts'

type Setting = Omit<Stage, 'random' | 'say'> & { readonly seed: number }

/** Plays scenarios one after the other, prints what is done and a table at the end. Gives whether all were held. */
export async function playAll(scenarios: readonly Scenario[], setting: Setting): Promise<boolean> {
  console.log(`seed ${setting.seed}, ${setting.form} form`)
  const results = new Map<Scenario, Result>()
  for (const scenario of scenarios) {
    console.log(`\n${scenario.name}  ${scenario.promise}`)
    results.set(scenario, await play(scenario, setting, (line) => console.log(`  ${line}`)))
  }
  console.log('')
  for (const [{ name }, { breaches, figures }] of results) {
    const shown = Object.entries(figures).map(([what, figure]) => `${what}: ${figure}`)
    console.log(`${name.padEnd(4)} ${breaches.length === 0 ? 'held    ' : 'NOT HELD'}  ${shown.join(', ')}`)
    for (const breach of breaches.slice(0, shownBreaches)) console.log(`       ${breach}`)
    if (breaches.length > shownBreaches) console.log(`       and ${breaches.length - shownBreaches} more`)
  }
  return [...results.values()].every(({ breaches }) => breaches.length === 0)
}

const shownBreaches = 12

/** Plays one scenario. What it throws is a breach like any other. */
export async function play(scenario: Scenario, setting: Setting, say: (line: string) => void): Promise<Result> {
  const start = performance.now()
  const elapsed = () => `${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s`
  const stage = { ...setting, random: seeded(setting.seed), say: (line: string) => say(`${elapsed()}  ${line}`) }
  const result = await scenario.run(stage).catch((error: unknown): Result => {
    return { breaches: [error instanceof Error ? `${error.stack}` : String(error)], figures: {} }
  })
  return { ...result, figures: { ...result.figures, took: elapsed().trim() } }
}
