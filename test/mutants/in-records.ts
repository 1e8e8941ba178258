import type { Mutant } from './mutant.ts'

const stats = 'test/worker/stats.test.ts'
const histogram = 'test/records/histogram.test.ts'

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
]
