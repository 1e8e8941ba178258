import type { Mutant } from './mutant.ts'

const triggers = 'test/partitioned/triggers.test.ts'

/** Faults in what serves tables that their users partition. */
export const inPartitions: readonly Mutant[] = [
  {
    name: 'a partitioned table tells of its statements alone',
    breaks: 'workers sleep on while jobs stand in a partition that was written to straight',
    file: 'src/migrate/job-triggers.ts',
    text: 'insertTriggerOf(engine, isPartitioned(catalog))',
    replacement: 'insertTriggerOf(engine)',
    test: triggers,
    title: 'later partitions tell as well',
  },
  {
    name: 'a statement is told by a row that was the earliest for a while',
    breaks: 'workers sleep past the time of the earliest job',
    file: 'src/migrate/inserted-rows.ts',
    text: ' = nullif(',
    replacement: ' >= nullif(',
    test: triggers,
    title: 'of scheduled jobs the earliest is told, alone, in whichever order they come',
  },
  {
    name: 'what a statement has inserted is kept beyond it',
    breaks: 'later statements of a transaction are not told',
    file: 'src/migrate/inserted-rows.ts',
    text: ", '', true);",
    replacement: ", '-infinity', true);",
    test: triggers,
    title: 'each statement of a transaction is told by itself',
  },
  {
    name: 'a trigger that is off in a partition is not seen',
    breaks: 'who asks why its jobs wait for the next poll finds nothing',
    file: 'src/doctor/facts/table-facts.ts',
    text: "g.tgtype & 1 = 1 and t.relkind <> 'p'",
    replacement: "g.tgtype & 1 = 2 and t.relkind <> 'p'",
    test: 'test/partitioned/doctor.test.ts',
    title: 'a trigger is disabled in a partition alone',
  },
  {
    name: 'what was written is told by the id of all at once',
    breaks: 'of two jobs with one id, one of which was cancelled, both are told to have been written',
    file: 'src/queue/fenced.ts',
    text: 'if (jobs.key === undefined) return writtenOf',
    replacement: 'if (jobs.db !== undefined) return writtenOf',
    test: 'test/partitioned/moved.test.ts',
    title: 'a settle tells which of several retries it has written',
  },
  {
    name: 'a row that an insert meets has no mark',
    breaks: 'in a partitioned table each job that is replaced is told to be new',
    file: 'src/queue/unique-statement.ts',
    text: 'mayMark(jobs) ? meeting(',
    replacement: '!mayMark(jobs) ? meeting(',
    test: 'test/partitioned/every-verb.test.ts',
    title: ' is served by every verb and a worker',
  },
  {
    name: 'a key may have what is written while a job runs',
    breaks: 'a worker does not hear that its job was cancelled, as it does not find the row again',
    file: 'src/schema/key.ts',
    text: '.filter(({ names }) => !names.some((name) => changing.has(name)))',
    replacement: '',
    test: 'test/partitioned/refusals.test.ts',
    title: 'a table that is partitioned by what is written while jobs run',
  },
]
