import type { Mutant } from './mutant.ts'

/** Faults in how lost connections are found, and in how soon is tried again. */
export const inConnections: readonly Mutant[] = [
  {
    name: 'a transaction that was refused stays open',
    breaks: 'the next who is given the connection is in a transaction that has failed',
    file: 'src/pg/client-statements.ts',
    text: "await this.#send('rollback').catch(() => {})",
    replacement: 'await Promise.resolve()',
    test: 'test/pg/whole-transaction.test.ts',
    title: 'what the server refuses is told, leaves no transaction open',
  },
  {
    name: 'quotes that stand in a message as they are',
    breaks: 'a text with a quote ends the literal that it is in',
    file: 'src/pg/whole-transaction.ts',
    text: `.replaceAll("'", "''")`,
    replacement: '',
    test: 'test/pg/whole-transaction.test.ts',
    title: 'a transaction of one statement is one message',
  },
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
