import type { Duration } from '../schema/duration.js'

/** A length of time as people write it; or as all durations are. */
export type Period = `${number} ${'hour' | 'day' | 'week'}${'' | 's'}` | Duration

export interface JobArchiveOptions {
  /** How much time a partition holds, which is what is dropped at once: `'1 day'` (default), `'6 hours'`, `'1 week'`; in UTC. At least an hour. Left out of an archive that is there, it stays as it is, as `keep` does. */
  readonly every?: Period | undefined
  /** How long finished jobs are kept, to a partition: `'30 days'` (default). At most 1,000 partitions. */
  readonly keep?: Period | undefined
  /**
   * What becomes of rows that reference a job when it goes to the archive. Default: the archive is refused where there are any
   * such foreign keys. `follow`: they go by their `on delete`, so that `cascade` deletes those rows and `set null` unties them;
   * a key that would hold the job back is refused still.
   */
  readonly references?: 'follow' | undefined
}
