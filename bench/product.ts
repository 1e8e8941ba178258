/** What is measured is what is published: dist/, as `npm run build` leaves it; the types are those of the source. */
const product: typeof import('kysely-jobs') = await import(new URL('../dist/src/index.js', import.meta.url).href)
const migrate: typeof import('kysely-jobs/migrate') = await import(
  new URL('../dist/src/migrate/index.js', import.meta.url).href
)

export const {
  createRunner,
  createWorker,
  enqueue,
  fetchNextJobs,
  guardPool,
  heartbeat,
  linear,
  nextDueAt,
  rescue,
  settle,
} = product
export const { createJobTable } = migrate
