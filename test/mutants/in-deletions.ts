import type { Mutant } from './mutant.ts'

/** Faults of workers that delete the rows of jobs that succeeded. */
export const inDeletions: readonly Mutant[] = [
  {
    name: 'a deletion without the fence',
    breaks: 'a worker that lost its job deletes it under the hands of whoever has it now',
    file: 'src/queue/fenced.ts',
    text: 'db.deleteFrom(jobs.table).where(isLocked)',
    replacement: "jobs.db.deleteFrom(jobs.table).where(column('id'), 'is not', null)",
    test: 'test/worker/leaving.test.ts',
    title: 'an attempt that lost its lease takes nothing away',
  },
  {
    name: 'a deletion of whatever ended',
    breaks: 'nobody learns that a job failed: its row is gone',
    file: 'src/queue/settle.ts',
    text: "if (fate === 'delete') return fate",
    replacement: "if (fate === 'delete' || (options.succeeded === 'delete' && kind !== 'released')) return 'delete'",
    test: 'test/worker/delete-succeeded.test.ts',
    title: 'of a job whose handler ended well nothing is left',
  },
  {
    name: 'a deletion whose reply is needed',
    breaks: 'a job that was done is told to be lost where its connection was cut',
    file: 'src/worker/settle/settler.ts',
    text: 'entry.of.tried()',
    replacement: 'void entry.of',
    test: 'test/worker/leaving.test.ts',
    title: 'a success whose reply was cut off',
  },
  {
    name: 'whatever is gone was done',
    breaks: 'a job that somebody deleted while it ran is told to have succeeded',
    file: 'src/worker/settle/unwritten.ts',
    text: 'attempt.completed || attempt.wasTried',
    replacement: 'attempt.completed || !attempt.wasTried',
    test: 'test/worker/leaving.test.ts',
    title: 'a job whose row somebody deleted while it ran is lost',
  },
  {
    name: 'a completion that is taken for a loss',
    breaks: 'a handler that goes on after it has completed its job is aborted',
    file: 'src/worker/lease/lease-renewer.ts',
    text: 'state === undefined ? mayBeDeleted :',
    replacement: 'state === undefined ? false :',
    test: 'test/worker/delete-succeeded.test.ts',
    title: 'a handler that goes on after its completion has committed',
  },
]
