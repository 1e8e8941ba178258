import { type JobStatus, jobStatusLabels } from '../../schema/statuses.js'

const tones: Readonly<Record<JobStatus, string>> = {
  job_status_not_started: '',
  job_status_running: 'info',
  job_status_retry: 'warn',
  job_status_succeeded: 'good',
  job_status_failed: 'bad',
  job_status_timed_out: 'bad',
  job_status_cancelled: '',
}

export function StatusBadge({ status }: { readonly status: JobStatus }) {
  return <span class={`badge ${tones[status]}`}>{jobStatusLabels[status]}</span>
}
