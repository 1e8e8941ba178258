import { expect, test } from 'vitest'
import { findingsText } from '../../src/cli/findings-text.js'
import { examine } from '../../src/doctor/examine.js'
import { severities } from '../../src/doctor/finding.js'
import { createJobTable } from '../../src/migrate/index.js'
import { blocksIn, read } from '../readme/blocks.js'
import { testDatabase } from '../support/database.js'

const page = 'docs/doctor.md'

test('the page has every code with its severity, and no other', () => {
  const rows = [...read(page).matchAll(/^\| `([a-z-]+)` \| (\w+) \|/gm)].map(([, code, severity]) => [code, severity])
  expect(Object.fromEntries(rows)).toEqual(severities)
  expect(rows).toHaveLength(Object.keys(severities).length)
})

test('what the page shows is what the doctor says', async () => {
  const { db } = await testDatabase((handle) => createJobTable(handle, 'mail_jobs'))
  await db.schema.dropIndex('job_running_mail_jobs').execute()
  await db
    .insertInto('mail_jobs')
    .values({ run_at: new Date(Date.now() - 7_200_000) })
    .execute()
  const [shown] = blocksIn('text', page)
  expect(findingsText(await examine(db), false)).toBe(shown?.text)
})
