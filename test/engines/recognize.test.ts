import { describe, expect, test } from 'vitest'
import { engineFlaw } from '../../src/schema/engines/given.js'
import { adviceOnEngine, insertTriggerOf } from '../../src/schema/engines/lacks.js'
import { engineOf, refuseUnknown } from '../../src/schema/engines/recognize.js'
import type { CatalogServer } from '../../src/schema/server.js'

const saying = (version: string, others: Partial<CatalogServer> = {}): CatalogServer => ({
  ...{ version, number: '17.5', extensions: null, marks: [], settings: {}, ...others },
})
const plain = 'PostgreSQL 17.5 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit'

describe('an engine is known by what its server says', () => {
  test.each([
    [saying(plain), 'PostgreSQL', '17.5'],
    [saying('PostgreSQL 18beta1 on aarch64'), 'PostgreSQL', '18beta1'],
    [saying('CockroachDB CCL v26.3.1 (x86_64-pc-linux-gnu, built 2026/09/01)'), 'CockroachDB', '26.3.1'],
    [saying('PostgreSQL 15.12-YB-2025.2.3.0-b1 on x86_64-pc-linux-gnu'), 'YugabyteDB', '2025.2.3.0-b1'],
    [saying('PostgreSQL 16', { marks: ['sys.iam_pg_role_mappings'] }), 'Aurora DSQL', '17.5'],
    [saying(plain, { marks: ['alloydbsuperuser'] }), 'AlloyDB', '17.5'],
    [saying(plain, { marks: ['neon_superuser'] }), 'Neon', '17.5'],
    [saying(plain, { marks: ['supabase_admin'] }), 'Supabase', '17.5'],
    [saying(plain, { marks: ['pscale_superuser'] }), 'PlanetScale Postgres', '17.5'],
  ])('%o', (server, name, version) => {
    expect(engineOf(server)).toMatchObject({ name, version })
    expect(() => refuseUnknown(engineOf(server), undefined)).not.toThrow()
  })

  test.each([
    ['CrateDB 5.10.1 (built abc)', 'CrateDB'],
    ['PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.12345', 'Redshift'],
    ['PostgreSQL 13.14.0-RisingWave-2.1.0 (abc)', 'RisingWave'],
    ['PostgreSQL-like thing', 'an unknown engine'],
    ['', 'an unknown engine'],
  ])('%j is none that we know', (sentence, name) => {
    const engine = engineOf(saying(sentence))
    expect(engine.name).toBe(name)
    expect(() => refuseUnknown(engine, undefined)).toThrow(`The server calls itself '${sentence}', which is none of`)
    expect(() => refuseUnknown(engineOf(saying(sentence), { listen: false }), { listen: false })).not.toThrow()
  })
})

test('YugabyteDB hears notifications and has advisory locks where they are switched on', () => {
  const sentence = 'PostgreSQL 15.12-YB-2025.2.3.0-b1 on x86_64-pc-linux-gnu'
  const switches = { yb_enable_listen_notify: 'on', yb_enable_advisory_locks: 'on' }
  expect(engineOf(saying(sentence, { settings: switches }))).toMatchObject({ listen: true, advisoryLocks: true })
  const off = { yb_enable_listen_notify: 'off', yb_enable_advisory_locks: null }
  expect(engineOf(saying(sentence, { settings: off }))).toMatchObject({ listen: false, advisoryLocks: false })
})

test('what the user says of the engine goes before its profile, and a name of ours brings the profile', () => {
  expect(engineOf(saying(plain), { name: 'CockroachDB', advisoryLocks: true, enums: undefined })).toMatchObject({
    ...{ name: 'CockroachDB', listen: false, triggers: 'row', advisoryLocks: true, enums: true },
  })
  expect(engineOf(saying(plain), { name: 'OurFork' })).toMatchObject({ name: 'OurFork', listen: true, version: '17.5' })
})

test('inserts are told by a trigger of the form that the engine has, and by none where nobody hears', () => {
  const form = (given: object) => insertTriggerOf(engineOf(saying(plain), given))
  expect(form({})).toBe('statement')
  expect(form({ triggers: 'row' })).toBe('row')
  expect(form({ transitionTables: false })).toBe('row')
  expect(form({ triggers: 'none' })).toBe('none')
  expect(form({ listen: false })).toBe('none')
})

test('of what an engine lacks each has a sentence with the remedy, and PostgreSQL lacks nothing', () => {
  expect(adviceOnEngine(engineOf(saying(plain)))).toEqual([])
  expect(adviceOnEngine(engineOf(saying(plain), { name: 'Aurora DSQL' }))).toEqual([
    expect.stringContaining('is on Aurora DSQL, which has no FOR UPDATE SKIP LOCKED'),
    expect.stringContaining('leave listen out'),
    expect.stringContaining('leave limit, rate and fifo out'),
    expect.stringContaining('no partial indexes'),
  ])
  expect(adviceOnEngine(engineOf(saying(plain), { triggers: 'none' }))).toEqual([
    expect.stringContaining('call notifyWorkers after the commit'),
  ])
  expect(adviceOnEngine(engineOf(saying(plain), { triggers: 'row' }))).toEqual([
    expect.stringContaining('for each row of an insert'),
  ])
})

test.each([
  ['YugabyteDB', ': "YugabyteDB" is invalid; give what the engine is or lacks'],
  [[], ': an array is invalid'],
  [null, ': null is invalid'],
  [{ listens: true }, '.listens: nobody asks that of an engine; there are name, skipLocked'],
  [{ listen: 'no' }, '.listen: "no" is invalid; give true or false'],
  [{ triggers: true }, ".triggers: true is invalid; give 'statement', 'row' or 'none'"],
  [{ name: '' }, '.name: "" is invalid; give a text'],
  [{ version: 15 }, '.version: 15 is invalid; give a text'],
  [{ name: 'cockroach db' }, `.name: "cockroach db" is invalid; give 'CockroachDB'`],
])('of an engine one can not say %j', (given, flaw) => {
  expect(engineFlaw(given)).toContain(flaw)
})

test('an engine can be of another name, and what is undefined says nothing', () => {
  expect(engineFlaw({ name: 'OurFork', version: '1', triggers: 'row', listen: undefined })).toBeUndefined()
})
