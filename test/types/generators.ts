import type { Kysely, Selectable } from 'kysely'
import { createWorker, enqueue, type Job, type JobTableName } from 'kysely-jobs'
import { type Equal, holds } from './database.js'
import type Kanel from './generated/kanel/Database.js'
import type { ImageJobsId } from './generated/kanel/public/ImageJobs.js'
import type JobStatus from './generated/kanel/public/JobStatus.js'
import type KanelMailJobs from './generated/kanel/public/MailJobs.js'
import type { UsersId } from './generated/kanel/public/Users.js'
import type * as codegen from './generated/kysely-codegen.js'
import type * as camelCodegen from './generated/kysely-codegen-camel-case.js'
import type * as enumCodegen from './generated/kysely-codegen-enums.js'
import type * as prisma from './generated/prisma-kysely.js'
import type * as camelPrisma from './generated/prisma-kysely-camel-case.js'

// The interfaces that generators write of the same tables: used as they are.

declare const kanel: Kysely<Kanel>
declare const codegenDb: Kysely<codegen.DB>
declare const camelCodegenDb: Kysely<camelCodegen.DB>
declare const enumCodegenDb: Kysely<enumCodegen.DB>
declare const prismaDb: Kysely<prisma.DB>
declare const camelPrismaDb: Kysely<camelPrisma.DB>
declare const ann: UsersId

// kysely-codegen

type SnakeTables = 'mail_jobs' | 'report_jobs' | 'image_jobs' | 'billing.invoice_jobs'
holds<Equal<JobTableName<codegen.DB>, SnakeTables>>()
holds<Equal<JobTableName<enumCodegen.DB>, SnakeTables>>()
holds<Equal<JobTableName<camelCodegen.DB>, 'mailJobs' | 'reportJobs' | 'imageJobs' | 'billing.invoiceJobs'>>()

createWorker(codegenDb, 'mail_jobs', (job) => {
  holds<Equal<typeof job, Readonly<Selectable<codegen.MailJobs>>>>()
  holds<Equal<typeof job.run_at, Date>>()
})
createWorker(codegenDb, 'report_jobs', async ({ id }) => {
  holds<Equal<typeof id, string>>()
  return { pages: [1, 2] }
})
createWorker(codegenDb, 'image_jobs', ({ id }) => holds<Equal<typeof id, number>>())
createWorker(codegenDb, 'billing.invoice_jobs', ({ amount }) => holds<Equal<typeof amount, string>>())
createWorker(enumCodegenDb, 'mail_jobs', ({ status }) => {
  const named: enumCodegen.JobStatus = status
  return named
})
createWorker(camelCodegenDb, 'reportJobs', ({ maxAttempts }) => holds<Equal<typeof maxAttempts, number | null>>())

enqueue(codegenDb, 'mail_jobs', { user_id: 'ann', template: 'welcome', run_at: new Date() })
enqueue(codegenDb, 'report_jobs', { kind: 'daily', priority: 3, id: 7n })
enqueue(codegenDb, 'billing.invoice_jobs', [{ id: 'first', amount: 100n }])
enqueue(camelCodegenDb, 'mailJobs', { userId: 'ann', template: 'welcome', runAt: '2030-01-01' })
// @ts-expect-error "'users' is not a job table: column 'created_at' is missing
createWorker(codegenDb, 'users', () => {})
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(enumCodegenDb, 'mail_jobs', { user_id: 'ann', template: 'welcome', status: 'job_status_retry' })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(camelCodegenDb, 'mailJobs', { userId: 'ann', template: 'welcome', lockedBy: 'me' })

// kanel: branded ids, an enum, a table of another schema under its bare name

holds<Equal<JobTableName<Kanel>, 'mail_jobs' | 'report_jobs' | 'image_jobs' | 'invoice_jobs'>>()
createWorker(kanel, 'mail_jobs', (job) => {
  holds<Equal<typeof job, Readonly<Selectable<KanelMailJobs>>>>()
  holds<Equal<typeof job.user_id, UsersId>>()
  holds<Equal<typeof job.status, JobStatus>>()
})
createWorker(kanel, 'image_jobs', ({ id }) => holds<Equal<typeof id, ImageJobsId>>())
createWorker(kanel, 'report_jobs', async () => ({ pages: [1, 2] }))
createWorker(kanel.withSchema('billing'), 'invoice_jobs', ({ amount }) => holds<Equal<typeof amount, string>>())
enqueue(kanel, 'mail_jobs', { user_id: ann, template: 'welcome', subject: null })
enqueue(kanel, 'report_jobs', { kind: 'daily', max_attempts: null, run_at: new Date() })
// @ts-expect-error Type 'string' is not assignable to type 'UsersId'.
enqueue(kanel, 'mail_jobs', { user_id: 'ann', template: 'welcome', subject: null })
// @ts-expect-error "'users' is not a job table: column 'created_at' is missing
createWorker(kanel, 'users', () => {})

// prisma-kysely

holds<Equal<JobTableName<prisma.DB>, 'mail_jobs' | 'report_jobs'>>()
holds<Equal<JobTableName<camelPrisma.DB>, 'mailJobs' | 'reportJobs'>>()
createWorker(prismaDb, 'mail_jobs', (job) => {
  holds<Equal<typeof job, Readonly<Selectable<prisma.mail_jobs>>>>()
  holds<Equal<[typeof job.run_at, typeof job.status], [Date, prisma.job_status]>>()
})
createWorker(prismaDb, 'report_jobs', async ({ id }) => ({ id }))
createWorker(camelPrismaDb, 'mailJobs', (job) => holds<Equal<typeof job, Job<camelPrisma.DB, 'mailJobs'>>>())
enqueue(prismaDb, 'mail_jobs', { user_id: 'ann', template: 'welcome', run_at: new Date() })
enqueue(camelPrismaDb, 'reportJobs', [{ kind: 'daily', priority: 3 }])
// @ts-expect-error "'users' is not a job table: column 'created_at' is missing
createWorker(camelPrismaDb, 'users', () => {})
