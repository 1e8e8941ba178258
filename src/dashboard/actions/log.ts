import type { ActionEvent } from '../options.js'
import type { Visit } from '../parts/page.js'

/** Tells of an action that was done. What listens fails by itself. */
export function logAction({ site, viewer }: Visit, event: Omit<ActionEvent, 'user'>): void {
  const failed = (error: unknown) =>
    process.emitWarning(`onAction threw: ${error instanceof Error ? error.message : String(error)}`, 'DashboardWarning')
  try {
    const answer: unknown = site.settings.onAction?.({ user: viewer.user, ...event })
    if (answer instanceof Promise) answer.catch(failed)
  } catch (error) {
    failed(error)
  }
}
