import type { Mutant } from './mutant.ts'

const bulk = 'test/cli/bulk.test.ts'
const look = 'test/cli/look.test.ts'

/** Faults in the command line. */
export const inCli: readonly Mutant[] = [
  {
    name: 'texts of the database reach the terminal as they are',
    breaks: 'an error text that holds control characters steers the terminal of whoever looks',
    file: 'src/cli/show/safe-text.ts',
    text: 'return text.replace(unsafe, escaped)',
    replacement: 'return text',
    test: look,
    title: 'no text of the database reaches the terminal as a command to it',
  },
  {
    name: 'an answer that is no yes is one',
    breaks: 'who presses Enter at the question has cancelled all those jobs',
    file: 'src/cli/bulk/confirm.ts',
    text: '/^y(es)?$/i.test(',
    replacement: '/^/.test(',
    test: bulk,
    title: 'who sits at a terminal is asked, and answers',
  },
  {
    name: 'a bulk command without a selection is about all jobs',
    breaks: 'a forgotten --where changes the whole table',
    file: 'src/cli/bulk/bulk.ts',
    text: 'if (id === undefined && !all && !isFiltered)',
    replacement: 'if (id !== undefined && !all && id.length > 9)',
    test: bulk,
    title: 'changes nothing: one line, and exit code 2',
  },
  {
    name: 'ids of no job are not told',
    breaks: 'a script that retries a job which is gone takes it for done',
    file: 'src/cli/bulk/outcome.ts',
    text: 'missing.length > 0 || isStopped ? 1 : 0',
    replacement: 'isStopped ? 1 : 0',
    test: bulk,
    title: 'jobs that are named are changed, and the exit code tells of those that are none',
  },
  {
    name: 'Ctrl-C does not reach a bulk run',
    breaks: 'a run over millions can not be stopped between its chunks',
    file: 'src/cli/bulk/bulk.ts',
    text: ', signal: stop.signal })',
    replacement: ' })',
    test: bulk,
    title: 'Ctrl-C stops a run after its chunk, and it is told how far it came',
  },
  {
    name: 'of two tables of a name the first is taken',
    breaks: 'jobs are deleted in the table of another schema',
    file: 'src/cli/open/tables.ts',
    text: 'const [only, ...others] = found\n',
    replacement: 'const [only, ...others] = found.slice(0, 1)\n',
    test: look,
    title: 'a name that two tables have is refused, and one that none has is answered with the nearest',
  },
  {
    name: 'the dashboard of the command line lets anybody in',
    breaks: 'each user of the machine steers the queue',
    file: 'src/cli/serve/gate.ts',
    text: "isSame(cookieOf(request, cookie), token) ? 'all' : false",
    replacement: "'all'",
    test: 'test/cli/serve.test.ts',
    title: 'of the gate: the token is asked for each time, and the host too',
  },
]
