import type { Mutant } from './mutant.ts'

/** Faults in how lost connections are found, and in how soon is tried again. */
export const inConnections: readonly Mutant[] = [
  {
    name: 'a connection that is gone is waited for',
    breaks: 'after a cut network a query hangs until its own time-out, of a minute',
    file: 'src/pg/liveness-check.ts',
    text: 'for (const watched of silent) close(watched)\n  return',
    replacement: 'return',
    test: 'test/pg/liveness-check.test.ts',
    title: 'a query on a connection that is gone without a word fails',
  },
  {
    name: 'a slow statement is taken for a lost one',
    breaks: 'every statement of more than half a second is cut',
    file: 'src/pg/liveness-check.ts',
    text: "now?.state?.startsWith('idle')",
    replacement: 'now !== undefined',
    test: 'test/pg/liveness-check.test.ts',
    title: 'a slow statement is left alone',
  },
  {
    name: 'a lost login is waited for',
    breaks: 'a worker that logged in when the network was cut is back only after ten seconds',
    file: 'src/pg/liveness-check.ts',
    text: 'backend !== undefined || askedAt < this.#reachableSince',
    replacement: 'backend !== undefined',
    test: 'test/pg/liveness-check.test.ts',
    title: 'a login that was lost fails, once the network is back',
  },
  {
    name: 'a try that took long is followed by a wait as well',
    breaks: 'where a server answers nobody for a while, workers are back later than they could be',
    file: 'src/watch/pause.ts',
    text: ' - Math.max(0, now - this.#since)',
    replacement: '',
    test: 'test/watch/pause.test.ts',
    title: 'a try that took long was wait enough',
  },
]
