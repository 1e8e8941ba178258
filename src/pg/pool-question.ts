/**
 * What a worker asks at its start, as Kysely shows nobody its pool. The client of a guarded pool answers itself, with the
 * most connections that the pool may have in place of the null; for any other it is a statement without an answer.
 */
export const poolQuestion = 'select null::text as max /* kysely-jobs pool */'
