import type { HtmlEscapedString } from 'hono/utils/html'
import type { Kysely } from 'kysely'
import type { JobDatabase } from '../../schema/job-database.js'
import type { Viewer } from '../access.js'
import type { Site } from '../site.js'

/** What is made of JSX. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>

/** What each page is made for. */
export interface Visit {
  readonly site: Site
  readonly viewer: Viewer
  /** As it was asked for, without the base path. */
  readonly path: string
  readonly query: URLSearchParams
  readonly now: Date
}

/** A page: its title, and its main part. */
export interface Page {
  readonly title: string
  readonly main: Html
  /** Default 200. */
  readonly status?: 200 | 403 | 404 | 409 | 422 | 500 | 503
  /** Where there is no script, it is loaded again after so many seconds. */
  readonly refresh?: number
  /** Whether it is sent again when it has changed. Default true. */
  readonly live?: boolean
}

/** The variable parts of an address. */
export type Params = Readonly<Record<string, string>>

/** Makes a page, from what it reads of the database. */
export type Show = (visit: Visit, db: Kysely<JobDatabase>, params: Params) => Promise<Page>

/** Does what a form asks for. @returns where to go then, or a page */
export type Act = (visit: Visit, form: URLSearchParams, params: Params) => Promise<string | Page>
