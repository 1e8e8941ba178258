import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'

const id = randomUUID()

/**
 * One turn of an IHP worker, by the statements that IHP sends: claim the oldest job, run it, write how it ended.
 * False where there is nothing to claim.
 */
export async function runNextJob(pool: Pool, render: (title: string) => void): Promise<boolean> {
  const claimed = await pool.query<{ id: string; title: string }>(
    `UPDATE render_report_jobs SET status = 'job_status_running', locked_at = NOW(), locked_by = $1, attempts_count = attempts_count + 1
     WHERE id IN (SELECT id FROM render_report_jobs
       WHERE (status = 'job_status_not_started' OR (status = 'job_status_retry' AND updated_at < NOW() - interval '30 seconds'))
         AND locked_by IS NULL AND run_at <= NOW()
       ORDER BY created_at LIMIT 1 FOR UPDATE)
     RETURNING id, title`,
    [id],
  )
  const [job] = claimed.rows
  if (job === undefined) return false
  const ended = (status: string, error: string | null) =>
    pool.query(
      `UPDATE render_report_jobs SET status = $2, last_error = $3, updated_at = NOW(), locked_by = NULL WHERE id = $1`,
      [job.id, status, error],
    )
  try {
    render(job.title)
    await ended('job_status_succeeded', null)
  } catch (error) {
    await ended('job_status_retry', String(error))
  }
  return true
}
