import { dashboard } from 'kysely-jobs/dashboard'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { test, testBrowser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { serve } from '../support/serve.js'
import { createMailTable, fillMails, rowsIn } from './mail-table.js'

const { db } = await testDatabase(createMailTable)
const { url } = await serve(dashboard(db, { tables: ['mail_jobs'], authorize: () => 'all' }))
const open = testBrowser()
/** All of it can be read without JavaScript. */
const withoutScript = { javaScriptEnabled: false }

/** To whom the mails of a list go. */
const listed = (page: Page) => page.locator('tbody td.cut:nth-of-type(3)').allInnerTexts()

test('each state shows its jobs, and how many there are', async () => {
  await fillMails(
    db,
    Object.entries(rowsIn).map(([state, row]) => ({ to: state, ...row })),
  )
  const page = await open(`${url}/tables/mail_jobs`, withoutScript)
  expect((await listed(page)).toSorted()).toEqual(Object.keys(rowsIn).toSorted())
  for (const [state, label] of [
    ['running', 'Running 1'],
    ['due', 'Due 1'],
    ['scheduled', 'Scheduled 1'],
    ['retrying', 'Retrying 1'],
    ['failed', 'Failed 1'],
    ['timedOut', 'Timed out 1'],
    ['cancelled', 'Cancelled 1'],
    ['succeeded', 'Succeeded 1'],
  ] as const) {
    await page.getByRole('link', { name: label, exact: true }).click()
    await page.locator('.states [aria-current]', { hasText: label }).waitFor()
    expect(await listed(page)).toEqual([state])
  }
  await page.getByRole('link', { name: 'Overview' }).click()
  await page.getByRole('link', { name: 'mail_jobs' }).first().click()
  await page.getByRole('link', { name: 'All', exact: true }).waitFor()
})

test('a filter of each kind of column is added by the form, and taken away', async () => {
  const ada = {
    ...{ to: 'ada', size: 7, vip: true, mood: 'fine', day: '2026-01-02', sent_at: '2026-01-02T03:04:05Z' },
    ...{ owner: '11111111-2222-4333-8444-555555555555', tags: ['new', 'eu'], bytes: Buffer.from('x') },
    payload: JSON.stringify({ user: { id: 42 }, 'a.b': 'c' }),
  }
  const others = [
    ...[{ to: 'bob' }, { size: 99 }, { vip: false }, { mood: 'sad' }, { day: '2025-01-02' }, { sent_at: null }],
    ...[{ owner: null }, { tags: ['new'] }, { payload: '{}' }, { bytes: null }, { run_at: '2026-01-01' }],
  ]
  await fillMails(db, [ada, ...others.map((other) => ({ run_at: new Date(), ...ada, ...other }))])
  const page = await open(`${url}/tables/mail_jobs`, withoutScript)
  const form = page.locator('search form')
  const filters = [
    ['to', 'contains', 'AD'],
    ['size', '<', '8'],
    ['vip', '=', 'true'],
    ['mood', 'one of', 'fine'],
    ['day', '>=', '2026-01-01'],
    ['sent_at', 'is not empty', ''],
    ['owner', '=', '11111111-2222-4333-8444-555555555555'],
    ['tags', 'contains', 'eu'],
    ['payload', '=', '42', 'user.id'],
    ['bytes', 'is not empty', ''],
    ['run_at', '>', '-1h'],
  ] as const
  for (const [place, [column, operator, value, path = '']] of filters.entries()) {
    await form.getByRole('combobox', { name: 'Column' }).selectOption(column)
    await form.getByRole('combobox', { name: 'Is', exact: true }).selectOption(operator)
    await form.getByLabel('Value').fill(value)
    await form.getByLabel('Key, of JSON only').fill(path)
    await form.getByRole('button', { name: 'Add filter' }).click()
    await expect.poll(() => page.locator('.chips li').count()).toBe(place + 1)
    expect([column, (await listed(page)).length]).toEqual([column, others.length - place])
  }
  expect(await listed(page)).toEqual(['ada'])
  await page.getByRole('link', { name: 'Without payload.user.id=42' }).click()
  await expect.poll(() => page.locator('.chips li').count()).toBe(filters.length - 1)
  expect((await listed(page)).length).toBe(2)
})

test('a filter that means nothing says why, and what there is', async () => {
  const page = await open(`${url}/tables/mail_jobs?where=siz%3D7`, withoutScript)
  expect(await page.getByRole('alert').innerText()).toContain('There is no column siz; did you mean size?')
  expect(await page.locator('.empty').innerText()).toContain('No job matches')
})

test('a filter with a value that means nothing stays in its form', async () => {
  const page = await open(`${url}/tables/mail_jobs`, withoutScript)
  const form = page.locator('form', { hasText: 'Add filter' })
  const field = (name: string) => form.locator(`[name="${name}"]`)
  await field('column').selectOption('size')
  await field('operator').selectOption('>')
  await field('value').fill('x')
  await page.getByRole('button', { name: 'Add filter' }).click()
  await page.getByRole('alert').waitFor()
  const typed = ['column', 'operator', 'value'].map((name) => field(name).inputValue())
  expect(await Promise.all(typed)).toEqual(['size', '>', 'x'])
})

test('a list is sorted by the head of a column, both ways, and paged both ways', async () => {
  const numbers = Array.from({ length: 120 }, (_, n) => n)
  await fillMails(
    db,
    numbers.map((n) => ({ to: String(n), size: n })),
  )
  const page = await open(`${url}/tables/mail_jobs?where=size%3E9`, withoutScript)
  const sort = page.getByRole('columnheader', { name: 'size' })
  await sort.getByRole('link').click()
  await page.locator('th[aria-sort="ascending"]').waitFor()
  expect(await listed(page)).toEqual(numbers.slice(10, 60).map(String))
  await sort.getByRole('link').click()
  await page.locator('th[aria-sort="descending"]').waitFor()
  const descending = numbers.slice(10).reverse().map(String)
  expect(await listed(page)).toEqual(descending.slice(0, 50))
  const pages = [descending.slice(50, 100), descending.slice(100)]
  for (const expected of pages) {
    await page.getByRole('link', { name: 'Next page' }).click()
    await page.getByText(`${expected[0]}`, { exact: true }).first().waitFor()
    expect(await listed(page)).toEqual(expected)
  }
  expect(await page.getByRole('link', { name: 'Next page' }).count()).toBe(0)
  for (const expected of [descending.slice(50, 100), descending.slice(0, 50)]) {
    await page.getByRole('link', { name: 'Newer page' }).click()
    await page.getByText(`${expected[0]}`, { exact: true }).first().waitFor()
    expect(await listed(page)).toEqual(expected)
  }
  expect(await page.getByRole('link', { name: 'Newer page' }).count()).toBe(0)
})

test('a table without jobs says how they come', async () => {
  await fillMails(db, [])
  const page = await open(`${url}/tables/mail_jobs`, withoutScript)
  expect(await page.locator('.empty').innerText()).toContain('await enqueue(db, table, values)')
})

test('how many match is told, also of more than a page, and the bar for all offers just so many', async () => {
  const rows = Array.from({ length: 65 }, () => ({ to: 'a', size: 1 }))
  await fillMails(db, [...rows, { to: 'b', size: 2 }])
  const page = await open(`${url}/tables/mail_jobs?where=size%3D1`)
  expect(await page.locator('main').innerText()).toContain('65 jobs match')
  await page.getByLabel('All jobs of this page').check()
  await page.getByText('50 marked; for those of other pages choose "all 65 that match"').waitFor()
  await page.goto(`${url}/tables/mail_jobs?where=size%3D2`)
  await page.getByText('1 job matches').waitFor()
})

test('a job is found by its id, and a list is sorted by attempts', async () => {
  const [id = '', other = ''] = await fillMails(db, [
    { to: 'a', attempts_count: 1 },
    { to: 'b', attempts_count: 2 },
  ])
  const page = await open(`${url}/tables/mail_jobs`, withoutScript)
  const order = () => page.locator('tbody input[name="id"]').evaluateAll((boxes) => boxes.map((box: any) => box.value))
  await page.getByRole('link', { name: 'Attempts' }).click()
  await page.getByRole('link', { name: 'Attempts ↑' }).waitFor()
  expect(await order()).toEqual([id, other])
  await page.getByLabel('Job id').fill(other)
  await page.getByRole('button', { name: 'Find' }).click()
  await page.getByText('1 job matches').waitFor()
  expect(await order()).toEqual([other])
})
