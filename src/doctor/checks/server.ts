import { quoted } from '../../schema/names.js'
import type { Hearing } from '../facts/hearing.js'
import type { Pooling } from '../facts/pooling.js'
import type { ServerFacts } from '../facts/server-facts.js'
import { figure, period } from '../figures.js'
import { type Check, finding } from '../finding.js'
import type { Limits } from '../limits.js'

/** The server, and the way to it. */
export interface Surroundings {
  readonly server: ServerFacts
  readonly limits: Limits
  /** By how many seconds this machine's clock is ahead, at least; negative: behind. */
  readonly ahead: number
  /** Undefined: it was not found out. */
  readonly pooling: Pooling | undefined
  /** Undefined: nobody asked. */
  readonly hearing: Hearing | undefined
}

const oldest = 130_000

const oldServer: Check<Surroundings> = ({ server: { version } }) =>
  version >= oldest
    ? undefined
    : finding('old-server', {
        what: `The server is Postgres ${Math.floor(version / 10_000)}; kysely-jobs needs ${oldest / 10_000} or later.`,
        why: 'Statements of workers and migrations fail there.',
        remedy: 'Upgrade the server.',
      })

const standby: Check<Surroundings> = ({ server: { isStandby } }) =>
  isStandby
    ? finding('standby', {
        what: 'The server is a standby: it takes no writes and no LISTEN.',
        why: 'No job is enqueued or claimed through it.',
        remedy: 'Give the URL of the primary, or target_session_attrs=read-write with several hosts.',
      })
    : undefined

/** What takes the setting away again, by where it comes from. */
function writable({ readOnlyBy, role, database }: ServerFacts): string[] | undefined {
  const setting = 'default_transaction_read_only'
  const changes: Readonly<Record<string, string>> = {
    database: `alter database ${quoted(database)} reset ${setting}`,
    user: `alter role ${quoted(role)} reset ${setting}`,
    'database user': `alter role ${quoted(role)} in database ${quoted(database)} reset ${setting}`,
  }
  const change = changes[readOnlyBy]
  // The setting holds for whoever runs this as well.
  return change === undefined ? undefined : [`set ${setting} = off`, change]
}

const readOnly: Check<Surroundings> = ({ server }) =>
  server.readOnly
    ? finding('read-only', {
        what: `default_transaction_read_only is on (set by: ${server.readOnlyBy}).`,
        why: 'Each claim and each enqueue fails.',
        remedy: 'Turn it off where it is set, and connect anew.',
        sql: writable(server),
      })
    : undefined

const autovacuum: Check<Surroundings> = ({ server }) =>
  server.autovacuum
    ? undefined
    : finding('no-autovacuum', {
        what: 'autovacuum, or track_counts, which it needs, is off for the whole server.',
        why: 'Each job leaves dead rows behind; without vacuum the tables grow, and claims read ever more of what is dead.',
        remedy: 'Turn both on.',
        sql: ['alter system reset autovacuum', 'alter system reset track_counts', 'select pg_reload_conf()'],
      })

const clock: Check<Surroundings> = ({ ahead, limits }) =>
  Math.abs(ahead) <= limits.clock
    ? undefined
    : finding('clock-differs', {
        what: `The clock of this machine is ${period(Math.abs(ahead))} ${ahead > 0 ? 'ahead of' : 'behind'} that of the server.`,
        why: 'The server decides what is due: a run_at that a program counts from its own clock comes too late or too early.',
        remedy: 'Let both machines keep their time by NTP.',
      })

const connections: Check<Surroundings> = ({ server, limits }) =>
  server.connections < limits.connections * server.maxConnections
    ? undefined
    : finding('connections-near-limit', {
        what: `${figure(server.connections)} of ${figure(server.maxConnections)} connections of the server are taken.`,
        why: 'Whoever comes next is refused, a worker that restarts too.',
        remedy: 'Give pools a smaller max, put a pooler in between, or raise max_connections.',
      })

const notifications: Check<Surroundings> = ({ server: { notifyQueue } }) =>
  notifyQueue < 0.5
    ? undefined
    : finding('notify-queue-filling', {
        what: `The server's queue of notifications is ${Math.round(notifyQueue * 100)} % full.`,
        why: 'From 90 % on workers are told of no new job, and once it is full whoever notifies fails at commit.',
        remedy: 'End the session that listens and has been in a transaction since the queue began to grow.',
      })

const pooler: Check<Surroundings> = ({ pooling }) => {
  if (pooling === 'statement') {
    return finding('statement-pooler', {
      what: 'Between this program and the server there is a pooler in statement mode, which refuses transactions.',
      why: 'No worker starts through it, and nothing more can be examined.',
      remedy: 'Give the URL of the server itself, or let the pooler be in session or transaction mode.',
    })
  }
  if (pooling !== 'transaction') return undefined
  return finding('pooler', {
    what: 'Between this program and the server there is a pooler that gives each transaction another session.',
    why: 'A LISTEN through it is never heard, a setting of a session is lost, and statements are not prepared.',
    remedy:
      'Workers may go through it; give their option listen a URL of the server itself, or of a pooler in session mode.',
  })
}

const listening: Check<Surroundings> = ({ hearing }) => {
  if (hearing === undefined || ('probe' in hearing && hearing.probe === 'heard')) return undefined
  if ('refused' in hearing) {
    return finding('cannot-listen', {
      what: `Nothing can listen there: ${hearing.refused}.`,
      why: 'Workers find new jobs by polling alone.',
      remedy: 'Give listen a URL by which the server can be reached.',
    })
  }
  if (hearing.probe === 'unsent') {
    return finding('not-examined', {
      what: 'Whether a notification is heard was not found out: the database did not take one.',
      why: 'Workers that hear nothing find new jobs by polling alone.',
      remedy: 'Examine once more by a URL of the primary, when it has less to do.',
    })
  }
  return finding('deaf', {
    what: 'LISTEN succeeds, and what is notified through the database does not come back.',
    why: 'Workers find new jobs by polling alone.',
    remedy:
      'Give listen the server of this very database: no pooler in transaction mode, no standby, no other database.',
  })
}

/** Of the server, and of the way to it. */
export const serverChecks = [
  ...[oldServer, standby, readOnly, autovacuum, clock],
  ...[connections, notifications, pooler, listening],
]
