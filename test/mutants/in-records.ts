import type { Mutant } from './mutant.ts'

const stats = 'test/worker/stats.test.ts'
const histogram = 'test/records/histogram.test.ts'
const registry = 'test/runner/registry.test.ts'

/** Faults in what workers count, and in what runners write down. */
export const inRecords: readonly Mutant[] = [
  {
    name: 'successes that nobody listens to are not counted',
    breaks: 'metrics say that nothing is done',
    file: 'src/worker/settle/tell.ts',
    text: 'tally.succeeded(wait, duration)',
    replacement: '',
    test: stats,
    title: 'a worker counts what became of its jobs, whether or not anybody listens',
  },
  {
    name: 'a success that is told is counted twice',
    breaks: 'metrics say that twice as much is done as soon as somebody listens',
    file: 'src/worker/settle/tell.ts',
    text: "if (outcome.kind === 'succeeded' && !hears(outcome.kind)) {",
    replacement:
      "if (outcome.kind === 'succeeded') tally.succeeded(wait, duration)\n  if (outcome.kind === 'succeeded' && !hears(outcome.kind)) {",
    test: stats,
    title: 'one to whose successes somebody listens counts each of them once',
  },
  {
    name: 'the wait of a job of few columns is not known',
    breaks: 'histograms of waits are empty where workers select',
    file: 'src/schema/own-part.ts',
    text: 'if (text.slice(0, 8) === text.slice(16, 24))',
    replacement: 'if (text.length > 0)',
    test: stats,
    title: 'how long jobs waited and ran is in its histograms, also where a worker has asked for few columns',
  },
  {
    name: 'a duration is counted a place too high',
    breaks: 'quantiles are half as long again',
    file: 'src/records/histogram.ts',
    text: 'Math.ceil(2 * Math.log2(duration))',
    replacement: 'Math.floor(2 * Math.log2(duration)) + 1',
    test: histogram,
    title: 'a duration is counted where it is at most the bound, and above the one before',
  },
  {
    name: 'a quantile is the bound, without interpolation',
    breaks: 'quantiles are off by 20 percent as a rule',
    file: 'src/records/histogram.ts',
    text: 'low + (high - low) * share',
    replacement: 'high',
    test: histogram,
    title: 'is off by less than 7 percent',
  },
  {
    name: 'a runner that stops stays listed',
    breaks: 'each deploy leaves processes that seem to have died',
    file: 'src/runner/records/registrar.ts',
    text: 'return deleteRunner(db, table, this.#id)',
    replacement: 'return this.write(db, table)',
    test: registry,
    title: 'a runner is listed with its process and its workers while it works, and is not when it has stopped',
  },
  {
    name: 'runners that died are listed for ever',
    breaks: 'the list of runners grows with each crash',
    file: 'src/records/runners.ts',
    text: '(keptFor)} and',
    replacement: '(keptFor * 1000)} and',
    test: registry,
    title: 'a runner that is killed is listed, not alive after thirty seconds, and gone after an hour',
  },
  {
    name: 'a table that is missing is looked for once',
    breaks: 'a migration needs a restart of all runners',
    file: 'src/runner/records/side-place.ts',
    text: 'this.#nextLook = performance.now() + this.#lookInterval\n    const flaw',
    replacement: 'this.#nextLook = Number.POSITIVE_INFINITY\n    const flaw',
    test: registry,
    title: 'without the table a runner says nothing, and writes itself down once there is one',
  },
  {
    name: 'a record that can not be written is told of each time',
    breaks: 'the log is flooded where a grant is missing',
    file: 'src/runner/records/recorder.ts',
    text: 'if (kept.told === text) return',
    replacement: '',
    test: registry,
    title: 'a role that may not write there says so once, and works',
  },
  {
    name: 'a stop waits for a record as long as for a statement',
    breaks: 'a process does not end while the table of runners is locked',
    file: 'src/runner/records/recorder.ts',
    text: 'inTime(this.#writeLast(), this.#times.lastLimit)',
    replacement: 'this.#writeLast()',
    test: registry,
    title: 'while the table is locked a runner works, and stops',
  },
]
