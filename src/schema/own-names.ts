/**
 * The names in our statements that are not the user's: aliases, CTEs and columns of our own. No table and no column of
 * anybody is called so; with a plain name, a user's table or column of that name would be meant in its place.
 */
export const own = {
  /** A job table, in every statement; and a job as it was before the statement. */
  row: 'kysely_jobs_row',
  before: 'kysely_jobs_before',
  /** A level of priority, a step from one to the next, the jobs that are due at it, and the one that is due next. */
  level: 'kysely_jobs_level',
  step: 'kysely_jobs_step',
  /** The levels in the order in which a claim with aging takes jobs of them, and the first job of each. */
  line: 'kysely_jobs_line',
  due: 'kysely_jobs_due',
  next: 'kysely_jobs_next',
  counted: 'kysely_jobs_counted',
  /** It is of no key that is paused. */
  isOthers: 'kysely_jobs_others',
  /** The keys that a claim visits, and the columns of one, each with its number behind it. */
  walk: 'kysely_jobs_walk',
  keyPart: 'kysely_jobs_part_',
  /** The moment of a claim, what its keys are allowed, how many jobs it has room for, those that it picks, and what it spends of their rates. */
  clock: 'kysely_jobs_clock',
  allowance: 'kysely_jobs_allowance',
  room: 'kysely_jobs_room',
  picked: 'kysely_jobs_picked',
  spent: 'kysely_jobs_spent',
  spentOfAll: 'kysely_jobs_spent_of_all',
  locked: 'kysely_jobs_locked',
  claimed: 'kysely_jobs_claimed',
  told: 'kysely_jobs_told',
  /** What tells a row from all others, as text, where its id does not. */
  key: 'kysely_jobs_key',
  /** The one column of what is read for ourselves. */
  text: 'kysely_jobs_text',
  /** So many rows as are read together, and how many they are. */
  page: 'kysely_jobs_page',
  count: 'kysely_jobs_count',
  /** Rows that a statement takes out of one table, and puts into another. */
  gone: 'kysely_jobs_gone',
  put: 'kysely_jobs_put',
  all: 'kysely_jobs_all',
  /** The keys of the jobs that are enqueued, each with its place; the jobs that stand for them; and whether a job is new. */
  given: 'kysely_jobs_given',
  place: 'kysely_jobs_place',
  standing: 'kysely_jobs_standing',
  isNew: 'kysely_jobs_new',
  /** By what a list is ordered, whether a job of it is in the archive, and whether it is one that is looked for. */
  order: 'kysely_jobs_order',
  isArchived: 'kysely_jobs_archived',
  isMet: 'kysely_jobs_met',
} as const
