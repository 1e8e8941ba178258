/**
 * The names in our statements that are not the user's: aliases, CTEs and columns of our own. No table and no column of
 * anybody is called so; with a plain name, a user's table or column of that name would be meant in its place.
 */
export const own = {
  /** A job table, in every statement. */
  row: 'kysely_jobs_row',
  /** A level of priority. */
  level: 'kysely_jobs_level',
  /** A step from one level of priority to the next. */
  step: 'kysely_jobs_step',
  /** The jobs that are due at a level. */
  due: 'kysely_jobs_due',
  /** The job that is due next. */
  next: 'kysely_jobs_next',
  /** A job as it was before the statement. */
  before: 'kysely_jobs_before',
  /** The jobs that are counted. */
  counted: 'kysely_jobs_counted',
  /** The rows that a statement has locked. */
  locked: 'kysely_jobs_locked',
  /** What tells a row from all others, as text, where its id does not. */
  key: 'kysely_jobs_key',
  /** The one column of what is read for ourselves. */
  text: 'kysely_jobs_text',
} as const
