import { sql } from 'kysely'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobTable } from 'kysely-jobs/migrate'
import { describe, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase(async (handle) => {
  await sql`
    create table people (id int primary key, email text, plan text, token text);
    insert into people values (1, 'ada@example.com', 'paid', 'secret'), (2, 'bob@example.com', 'free', 'other')`.execute(
    handle,
  )
  await createJobTable(handle, 'mail_jobs', (table) =>
    table.addColumn('to', 'text').addColumn('person', 'integer', (column) => column.references('people.id')),
  )
  await sql`insert into mail_jobs ("to", person) values ('to ada', 1), ('to bob', 2)`.execute(handle)
})

/** A page of the list, by the options of its table. */
async function listOf(options: object, query: Record<string, string>): Promise<string> {
  const shown = dashboard(db, { authorize: () => 'read', tables: { mail_jobs: options } } as never)
  const response = await shown(new Request(`http://jobs.example/tables/mail_jobs?${new URLSearchParams(query)}`))
  return `${response.status} ${await response.text()}`
}

const byEmail = [{ where: 'person.email^=ada' }, { column: 'person.email', operator: 'begins with', value: 'ada' }]

describe.each(byEmail)('a list is filtered by the row that jobs point to: %s', (query) => {
  test('by what is shown of it', async () => {
    const page = await listOf({}, query)
    expect(page).toContain('to ada')
    expect(page).not.toContain('to bob')
    expect(page).toContain('person.email^=ada')
  })
})

test('a form offers just the columns by which it may be filtered', async () => {
  const offered = (page: string) => [...page.matchAll(/<option value="(person\.\w+)"/g)].map(([, place]) => place)
  expect(offered(await listOf({}, {}))).toEqual(['person.email'])
  expect(offered(await listOf({ joined: { person: ['plan', 'id'] } }, {}))).toEqual(['person.id', 'person.plan'])
  expect(offered(await listOf({ joined: { person: [] } }, {}))).toEqual([])
  expect(offered(await listOf({ hide: ['person'] }, {}))).toEqual([])
})

test('nothing is found out of another column', async () => {
  for (const query of [{ where: 'person.token^=s' }, { column: 'person.token', operator: 'begins with', value: 's' }]) {
    const page = await listOf({}, query)
    expect(page).toContain('There is no column')
    expect(page).not.toMatch(/to (?:ada|bob)/)
  }
  expect(await listOf({ joined: { person: ['plan'] } }, { where: 'person.plan=paid' })).toMatch(/to ada/)
  expect(await listOf({ joined: { person: ['plan'] } }, { where: 'person.email=x' })).toContain(
    'There is no column email of people',
  )
})

test.each([
  [{ person: ['plam'] }, 'tables.mail_jobs.joined.person: There is no column plam of people; did you mean plan?'],
  [{ persom: ['plan'] }, 'tables.mail_jobs.joined: There is no column persom; did you mean person?'],
  [
    { to: ['plan'] },
    'tables.mail_jobs.joined.to: this column is no foreign key to a row that this role may read; leave it out',
  ],
])('%s is refused, with the remedy', async (joined, message) => {
  expect((await listOf({ joined }, {})).replaceAll('&#39;', "'")).toContain(message)
})

test.each([[1], [['person']], [{ person: 'plan' }]])('joined: %j is refused at the start', async (joined) => {
  await expect(listOf({ joined }, {})).rejects.toThrow('tables.mail_jobs.joined')
})
