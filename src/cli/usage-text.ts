type Line = readonly [option: string, what: string]

interface Usage {
  /** The command with its arguments: `list [table]`. */
  readonly line: string
  /** What it does, in a sentence or two. */
  readonly about: string
  readonly options: readonly Line[]
  readonly samples: readonly string[]
}

const databaseLines: readonly Line[] = [
  ['--json', 'print JSON, with times in ISO 8601'],
  ['--url <url>', 'the database, as postgres://user:password@host:port/name'],
  ['', '(default: $DATABASE_URL, or the url of kysely-jobs.config.ts)'],
  ['--config <file>', 'the file of settings (default: kysely-jobs.config.ts, .mts, .js or .mjs)'],
  ['--schema <name>', 'where tables are that are named without one'],
]

export const filterLines: readonly Line[] = [
  ['--state <state>', 'running, due, scheduled, retrying, failed, timedOut, cancelled or succeeded; repeatable'],
  ['--where <filter>', "of any column: 'tenant_id=7', 'created_at>-2h', 'name~ada', 'region in eu,us',"],
  ['', "'note is empty', 'payload.user.id=42'; repeatable"],
  ['--error <kind>', 'jobs whose last error is of this kind, as `errors` tells it'],
]

export const selectionLines: readonly Line[] = [
  ['--id <id>', 'the job of this id; repeatable'],
  ...filterLines,
  ['--all', 'all jobs that can be changed so'],
  ['--yes', 'do it without asking'],
  ['--dry-run', 'only count, exactly'],
]

/** The text of `--help`, with the options that all commands of a database take. */
export function usageText({ line, about, options, samples }: Usage): string {
  const lines = [...options, ...databaseLines, ['-h, --help', 'show this'] as const]
  const width = Math.max(...lines.map(([option]) => option.length))
  const written = lines.map(([option, what]) => `  ${option.padEnd(width)}  ${what}\n`).join('')
  const shown = samples.map((sample) => `  kysely-jobs ${sample}\n`).join('')
  return `Usage: kysely-jobs ${line} [options]\n\n${about}\n\nOptions:\n${written}\nSamples:\n${shown}`
}
