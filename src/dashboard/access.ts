const actions = [
  'view',
  'retry',
  'run',
  'cancel',
  'delete',
  'reschedule',
  'prioritise',
  'edit',
  'duplicate',
  'pause',
  'limit',
  'schedule',
] as const

/** What a viewer may do with a table: see it, or change something. */
export type Action = (typeof actions)[number]

/** Who asks, and what they may do. */
export interface Access {
  /** For the log of actions, and shown on the pages. */
  readonly user?: string | undefined
  /** `'all'`, `'read'`: see everything and change nothing, or what decides for each action and table. */
  readonly may: 'all' | 'read' | ((action: Action, table: string) => boolean)
}

/**
 * Decides for each request: access, `'all'` or `'read'` for short; false or undefined: refused (403); or a response, as a redirect to a login.
 */
export type Authorize = (request: Request) => Answer | Promise<Answer>
type Answer = Access | 'all' | 'read' | false | null | undefined | Response

/** What a viewer may do, asked by pages and actions. */
export interface Viewer {
  readonly user: string | undefined
  may(action: Action, table: string): boolean
}

/** The viewer of an answer; undefined: refused. Anything that is none of the answers is refused, whoever wrote it. */
export function viewerOf(answer: Exclude<Answer, Response>, readOnly: boolean): Viewer | undefined {
  const { user, may } = typeof answer === 'string' ? { user: undefined, may: answer } : answer || noAccess
  if (may === 'read' || (may === 'all' && readOnly)) return { user, may: (action) => action === 'view' }
  if (may === 'all') return { user, may: () => true }
  if (typeof may !== 'function') return undefined
  return { user, may: (action, table) => (action === 'view' || !readOnly) && may(action, table) === true }
}

const noAccess = { user: undefined, may: undefined } as const

/** The same for viewers who see the same pages. */
export function rightsOf(viewer: Viewer, tables: readonly string[]): string {
  return tables.map((table) => actions.map((action) => (viewer.may(action, table) ? 1 : 0)).join('')).join()
}
