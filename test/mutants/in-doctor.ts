import type { Mutant } from './mutant.ts'

const tables = 'test/doctor/broken-tables.test.ts'
const server = 'test/doctor/server.test.ts'
const roles = 'test/doctor/roles.test.ts'
const plans = 'test/doctor/plans.test.ts'
const cli = 'test/cli/doctor.test.ts'

/** Faults in the doctor. */
export const inDoctor: readonly Mutant[] = [
  {
    name: 'the doctor lets the planner read a large table as a whole',
    breaks: 'an examination reads ten million jobs',
    file: 'src/doctor/facts/row-facts.ts',
    text: "  ...{ enable_seqscan: 'off', enable_bitmapscan: 'off', enable_sort: 'off', jit: 'off' },\n",
    replacement: '',
    test: plans,
    title: 'no statement of an examination reads a large table as a whole, with statistics',
  },
  {
    name: 'the doctor looks at rows to which no index leads',
    breaks: 'an examination reads ten million jobs',
    file: 'src/doctor/facts/row-facts.ts',
    text: 'isSmall || (index !== undefined',
    replacement: 'true || (index !== undefined',
    test: plans,
    title: 'where no index leads to its rows they are not looked at, and that is said',
  },
  {
    name: 'an index of ours is known by its name and columns alone',
    breaks: 'an index with another condition is taken for ours',
    file: 'src/doctor/facts/serving.ts',
    text: "columns.join() === wanted.join() && isSameCondition(predicate ?? '', predicateOf(condition))",
    replacement: 'columns.join() === wanted.join() && predicateOf(condition) !== predicate',
    test: tables,
    title: 'an index of ours has another condition',
  },
  {
    name: 'an old function of the triggers is not seen',
    breaks: 'triggers of earlier versions stay',
    file: 'src/doctor/checks/triggers.ts',
    text: 'trigger.body === triggerFunctionBody(told) &&',
    replacement: '',
    test: tables,
    title: 'the triggers have an old function',
  },
  {
    name: 'jobs of a paused table count as unserved',
    breaks: 'who pauses a table is told that nobody works it',
    file: 'src/doctor/checks/rows.ts',
    text: 'pending.waiting === 0 || isPaused ||',
    replacement: 'pending.waiting === 0 ||',
    test: tables,
    title: 'what is paused is meant to wait',
  },
  {
    name: 'the SQL against an idle transaction ends whatever that process does by then',
    breaks: 'a script that is run later ends a session of somebody else',
    file: 'src/doctor/checks/horizon.ts',
    text: 'and xact_start =',
    replacement: 'or xact_start <>',
    test: server,
    title: 'a transaction that does nothing is told with its process, and its SQL ends just that one',
  },
  {
    name: 'a pooler is looked for on one connection',
    breaks: 'a pooler in transaction mode is not found',
    file: 'src/doctor/facts/pooling.ts',
    text: '(await processOf(second)) === before || (await processOf(first)) !== before',
    replacement: '(await processOf(second)) !== (await processOf(second))',
    test: server,
    title: 'a pooler in transaction mode is proven, and that a LISTEN through it is deaf: of',
  },
  {
    name: 'what a role may not read ends the examination',
    breaks: 'a role without rights learns nothing',
    file: 'src/doctor/read.ts',
    text: '25006|42501|42P01',
    replacement: '25006|42P01',
    test: roles,
    title: 'a role without any right: what it may not examine is told, the other checks go on, and the SQL grants it',
  },
  {
    name: 'a comment of the script goes on to the next line',
    breaks: 'the name of a table is run as SQL',
    file: 'src/cli/fix-script.ts',
    text: 'oneLine(text)',
    replacement: 'text',
    test: cli,
    title: 'the script of --fix-sql mends all that SQL can, whatever tables are called',
  },
  {
    name: 'advice fails a build',
    breaks: 'CI fails for what need not be mended',
    file: 'src/cli/doctor.ts',
    text: "findings.some(({ severity }) => severity !== 'advice') ? 1 : 0",
    replacement: 'findings.length > 0 ? 1 : 0',
    test: cli,
    title: 'advice alone is no reason to fail a build',
  },
  {
    name: 'workers that are alive are not asked for',
    breaks: 'a table whose jobs wait for a moment is told to be worked by nobody',
    file: 'src/doctor/examine.ts',
    text: 'workers: workers?.(table),',
    replacement: 'workers: undefined,',
    test: tables,
    title: 'a table whose workers are alive is served, also where none of its jobs runs just now',
  },
]
