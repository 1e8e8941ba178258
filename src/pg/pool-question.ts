/**
 * What a worker asks at its start, as Kysely shows nobody its pool. The client of a guarded pool answers itself, with the
 * most connections that the pool may have; for any other it is a statement without an answer.
 */
export const poolQuestion = 'select null::text as max /* kysely-jobs pool */'

/** The question with its answer. */
export function answeredBy(max: number): string {
  return poolQuestion.replace('null', `'${max}'`)
}
