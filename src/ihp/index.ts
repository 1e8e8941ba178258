export { type FetchNextJobOptions, fetchNextJob } from './fetch-next-job.js'
export type { JobWatch, OnJob, PollOptions } from './job-watch.js'
export { type FailureOptions, jobDidFail, jobDidSucceed, jobDidTimeout, type ResultOptions } from './results.js'
export { pollForJob, type WatchOptions, watchForJob } from './watch-for-job.js'
