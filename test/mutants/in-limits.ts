import type { Mutant } from './mutant.ts'

const test = 'test/queue/keyed-model.test.ts'

/** Faults in how many jobs of a key may begin, which the model of that sees: too many, out of order, or fewer than might. */
export const inLimits: readonly Mutant[] = [
  {
    name: 'the limits of jobs that run are forgotten',
    breaks: 'a job that is to run alone gets company when another worker comes',
    file: 'src/queue/allowed-jobs.ts',
    text: 'sql`running.least`',
    replacement: 'sql`1000000000`',
    test,
    title: 'a limit in a column',
  },
  {
    name: 'a line in which two run',
    breaks: 'a job that is retried by hand begins while one that was enqueued after it runs',
    file: 'src/queue/allowed-jobs.ts',
    text: 'job.not(job.exists(ofKey().where(isRunning())))',
    replacement: 'job.lit(true)',
    test,
    title: 'a job that is retried by hand waits',
  },
  {
    name: 'a failure that does not block',
    breaks: "with onFailure: 'block' the next job begins though one before it has failed",
    file: 'src/queue/allowed-jobs.ts',
    text: "order === 'block' ? [...holding",
    replacement: "order === 'continue' ? [...holding",
    test,
    title: 'a line that a failure blocks',
  },
  {
    name: 'one start too many',
    breaks: 'a service is called once more often than its rate allows',
    file: 'src/queue/allowance.ts',
    text: 'rate.burst + whole',
    replacement: 'rate.burst + 1',
    test,
    title: 'a rate of each key',
  },
  {
    name: 'a start that is not made up for',
    breaks: 'of a rate a start is lost with each burst',
    file: 'src/queue/allowance.ts',
    text: 'rate.burst + whole',
    replacement: 'rate.burst - 0.5',
    test,
    title: 'a rate of all',
  },
  {
    name: 'a walk that ends before the key where it began',
    breaks: 'where one key has jobs, every second fetch finds none',
    file: 'src/queue/key-walk.ts',
    text: 'partsOfStep)}) > (',
    replacement: 'partsOfStep)}) >= (',
    test,
    title: 'a limit of each key',
  },
  {
    name: 'a search for the first job that is taken for a start',
    breaks: 'a row that is refused costs its key starts of its rate',
    file: 'src/queue/allowed-jobs.ts',
    text: '(isSpent ? spent(keyed) : [])',
    replacement: 'spent(keyed)',
    test,
    title: 'a rate of each key',
  },
  {
    name: 'an index that is missed in silence',
    breaks: 'each fetch reads the whole table, and nobody with the default logger is told',
    file: 'src/worker/worker.ts',
    text: '...advice, ...warnings,',
    replacement: '...advice, ...warnings.slice(9),',
    test: 'test/worker/limits.test.ts',
    title: 'a starting worker warns of the indexes that it lacks',
  },
]
