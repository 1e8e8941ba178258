/** What a run of tests says of a fault. */
export type HandlerOutcome =
  /** A test failed. */
  | { readonly kind: 'caught'; readonly by: string }
  /** A test, or the run, came to no end in its time: it would not pass, but it does not say why either. */
  | { readonly kind: 'hung'; readonly by: string }
  /** All passed. */
  | { readonly kind: 'survived' }
  /** No test ran: it says nothing of the fault. */
  | { readonly kind: 'void'; readonly output: string }

/** The part of vitest's JSON that we read. */
export interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly title: string
      readonly status: string
      readonly failureMessages?: readonly string[] | null
    }[]
  }[]
}

/** @param passed the run as a whole: an error that nobody awaits fails it, and no test */
export function verdictOn(report: Report | undefined, passed: boolean, output: string): HandlerOutcome {
  const tests = report?.testResults.flatMap(({ assertionResults }) => assertionResults) ?? []
  const failed = tests.find(({ status }) => status === 'failed')
  if (failed !== undefined) {
    const timedOut = failed.failureMessages?.some((message) => /(?:Test|Hook) timed out in/.test(message))
    return { kind: timedOut ? 'hung' : 'caught', by: failed.title }
  }
  const ran = tests.find(({ status }) => status === 'passed')
  if (ran === undefined) return { kind: 'void', output }
  return passed ? { kind: 'survived' } : { kind: 'caught', by: `an unhandled error in: ${ran.title}` }
}
