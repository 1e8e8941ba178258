import type { Mutant } from './mutant.ts'

const conform = 'test/conformance/conform.test.ts'
const cli = 'test/cli/conformance.test.ts'

/** Faults in the suite that tries promises. */
export const inConformance: readonly Mutant[] = [
  {
    name: 'the suite leaves its schema',
    breaks: 'each run leaves a job table on the server of whoever asked',
    file: 'src/conformance/stage.ts',
    text: '      await dropSchema(db, pools[0], schema)\n',
    replacement: '',
    test: conform,
    title: 'on Postgres all promises hold, and nothing is left behind',
  },
  {
    name: 'nothing is expected of a promise',
    breaks: 'the suite says of any server that all holds',
    file: 'src/conformance/broken.ts',
    text: 'if (isDeepStrictEqual(seen, expected)) return',
    replacement: 'if (isDeepStrictEqual(seen, expected) || what !== undefined) return',
    test: cli,
    title: 'a promise that is broken is printed with the reason, in red where somebody looks, and the exit code is 1',
  },
  {
    name: 'a promise may take as long as it likes',
    breaks: 'a statement that hangs holds the command up for ever',
    file: 'src/conformance/within.ts',
    text: 'setTimeout(() => ended.reject(late()), milliseconds)',
    replacement: 'setTimeout(() => {}, milliseconds)',
    test: conform,
    title:
      'a promise that never comes to an end is broken, with what it waited for, and the others are tried in another schema',
  },
  {
    name: 'Ctrl-C is not heard by the suite',
    breaks: 'who stops it waits, or kills it and is left with a schema',
    file: 'src/cli/conformance.ts',
    text: 'signal: stop.signal',
    replacement: '...{}',
    test: cli,
    title: 'Ctrl-C stops it; it prints what it has found, and leaves nothing behind',
  },
  {
    name: 'a broken promise is no failure of the command',
    breaks: 'CI passes on a server that breaks promises',
    file: 'src/cli/conformance.ts',
    text: "verdict === 'broken') ? 1 : 0",
    replacement: "verdict === 'absent') ? 1 : 0",
    test: cli,
    title: 'a promise that is broken is printed with the reason, in red where somebody looks, and the exit code is 1',
  },
  {
    name: 'a server that went away is not waited for',
    breaks: 'a failover during a run looks like broken promises',
    file: 'src/conformance/conform.ts',
    text: 'if (!isAway(error) || ',
    replacement: 'if (isAway(error) || ',
    test: 'test/conformance/failover.test.ts',
    title:
      'a standby that is promoted midway keeps all promises, those too that were being tried, and nothing is left on it',
  },
]
