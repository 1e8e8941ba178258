import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Builds a Next application (Turbopack) that enqueues in a route and keeps a worker that listens, with us installed
 * from our tarball, once as docs/bundlers.md says and once without its setting. By hand, as it installs Next into a
 * temporary folder (some 400 MB): `npm run -s build && node tools/next/next-build.ts [version of next]`.
 */
const [version = 'latest'] = process.argv.slice(2)
const project = mkdtempSync(join(tmpdir(), 'kysely-jobs-next-'))
const npm = (...args: string[]) => run('npm', args)
try {
  npm('pack', process.cwd(), '--ignore-scripts', '--loglevel=error', '--pack-destination', project)
  writeFileSync(join(project, 'package.json'), '{ "name": "app", "private": true }')
  npm('install', '--ignore-scripts', '--no-audit', `next@${version}`, 'react', 'react-dom', 'kysely', 'pg')
  npm('install', '--ignore-scripts', '--no-audit', './kysely-jobs-0.1.0.tgz')
  writeApp()
  for (const externals of [['kysely-jobs'], []]) {
    writeFileSync(
      join(project, 'next.config.mjs'),
      `export default ${JSON.stringify({ serverExternalPackages: externals })}\n`,
    )
    console.log(`serverExternalPackages: ${JSON.stringify(externals)}`)
    console.log(run('npx', ['next', 'build']))
  }
} finally {
  rmSync(project, { recursive: true, force: true })
}

function writeApp(): void {
  mkdirSync(join(project, 'app/mail'), { recursive: true })
  writeFileSync(
    join(project, 'app/layout.js'),
    'export default ({ children }) => <html lang="en"><body>{children}</body></html>\n',
  )
  writeFileSync(join(project, 'app/page.js'), 'export default () => <p>Mail</p>\n')
  writeFileSync(
    join(project, 'app/mail/route.js'),
    `import { Kysely, PostgresDialect } from 'kysely'
import { createWorker, enqueue, guardPool } from 'kysely-jobs'
import pg from 'pg'
const pool = guardPool(new pg.Pool({ connectionString: process.env.DATABASE_URL }))
const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
export const worker = () => createWorker(db, 'mail_jobs', (job) => console.log(job.to), { listen: pool })
export async function POST(request) {
  return Response.json(await enqueue(db, 'mail_jobs', await request.json()))
}
`
      .replace('export const worker', 'const worker')
      .concat("export const dynamic = 'force-dynamic'\nglobalThis.worker ??= worker\n"),
  )
}

/** What it printed, also where it failed. */
function run(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string } // execFileSync gives both
    return `FAILED\n${stdout}${stderr}`
  }
}
