// app/jobs/[[...path]]/route.ts, with serverExternalPackages: ['kysely-jobs', 'pg'] in next.config.ts
import { jobs } from './jobs.ts'

export const dynamic = 'force-dynamic'
export const GET = jobs
export const POST = jobs
