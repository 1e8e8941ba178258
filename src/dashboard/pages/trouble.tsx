import { concernsAll, sqlState } from '../../pg/error-class.js'
import { DeadlineError } from '../../watch/deadline.js'
import { NoConnectionError } from '../../worker/ask.js'
import { Head } from '../parts/head.js'
import { Notice } from '../parts/notice.js'
import type { Page } from '../parts/page.js'

/** The page for what went wrong while one was made. */
export function troublePage(error: unknown): Page {
  const text = error instanceof Error ? error.message : String(error)
  if (isAway(error))
    return trouble(503, 'The database does not answer', `${text}. The page is there again when it does.`)
  return trouble(500, 'This page could not be made', text)
}

/** A statement that took too long (57014) says that the database is too slow now. */
function isAway(error: unknown): boolean {
  return (
    error instanceof DeadlineError ||
    error instanceof NoConnectionError ||
    (concernsAll(error) && !/^42/.test(sqlState(error) ?? '')) || // a statement that is refused was answered
    sqlState(error) === '57014'
  )
}

/** What could not be done, and why. */
export const refusedPage = (error: Error): Page => trouble(422, 'Nothing was changed', error.message)

export const missingPage = (what: string): Page =>
  trouble(404, `There is no such ${what}`, 'It may have been deleted, or the address is wrong.')

export const forbiddenPage = (): Page =>
  trouble(
    403,
    'You may not do this',
    'Who may see and change what is decided by authorize, where this dashboard was made.',
  )

function trouble(
  status: NonNullable<Page['status']>,
  title: string,
  children: string | ReturnType<typeof Notice>,
): Page {
  const main = (
    <>
      <Head title={title} />
      <Notice tone="bad" title={children} />
    </>
  )
  return { status, title, main, live: false }
}
