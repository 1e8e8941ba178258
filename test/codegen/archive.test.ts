import { createJobArchive, createJobTable } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { generateTypes } from '../../codegen/generated-file.js'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase(async (db) => {
  await createJobTable(db, 'mail_jobs', (table) =>
    table.addColumn('to', 'text', (column) => column.notNull()).addColumn('note', 'text'),
  )
  await createJobArchive(db, 'mail_jobs')
})

/** The properties of an interface. */
function interfaceOf(text: string, name: string): string[] {
  const [, body = ''] = new RegExp(`export interface ${name} \\{\\n(.*?)^\\}`, 'ms').exec(text) ?? []
  return body.split('\n').map((line) => line.trim())
}

test('the archive and the view of all jobs have the columns of the table, null only where that has; partitions have no type', async () => {
  const text = await generateTypes(db)
  const table = interfaceOf(text, 'MailJobs').map((line) => line.replace(/Generated<(.*)>/, '$1'))
  expect(table).toContain('to: string')
  expect(table).toContain('note: string | null')
  expect(table).toContain('id: string')
  expect(interfaceOf(text, 'MailJobsArchive')).toEqual(table)
  expect(interfaceOf(text, 'MailJobsAll')).toEqual(table)
  expect(interfaceOf(text, 'DB')).toEqual([
    'mail_jobs: MailJobs',
    'mail_jobs_all: MailJobsAll',
    'mail_jobs_archive: MailJobsArchive',
    '',
  ])
})
