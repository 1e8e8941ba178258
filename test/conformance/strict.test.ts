import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, quietPool } from '../support/database.js'
import { refusals } from '../support/strict/refusals.js'
import { startStrict } from '../support/strict/start-strict.js'
import { allHold, runSuite, verdicts } from './suite.js'

const { volatileInUpdate, volatileInWhere, lazy, stableOfColumn, mutableReturned, mutableInConflict } = refusals
const { mutableConflict, subqueryInInsert, localJoin, trigger } = refusals
const { cstring, noValue, lock, join, recursive, moved, uniqueIndex, statistics, noColumns } = refusals

const taken = undefined
/** A text that no type parser is for, and counts. */
const text = 'pg_catalog.textout(s)'
const counted = 'select json_build_array((select count(*) from jobs)) as counts'
const locking = 'select id from jobs where tenant_id = 1 limit 2 for no key update skip locked'

type Measured = [statement: string, parameters: unknown[], said: (typeof refusals)[keyof typeof refusals] | undefined]

/** Statements about a table `jobs`, distributed by `tenant_id` or on a node of its own, and what Citus 13.2 said to each. */
const alike: Measured[] = [
  ['insert into jobs (id, tenant_id, at) values (202, 1, clock_timestamp()) returning id', [], taken],
  ['insert into jobs (id, tenant_id) values (203, 1) returning now()', [], mutableReturned],
  ['insert into jobs (id, tenant_id) values (203, 1) returning at::text', [], mutableReturned],
  ['insert into jobs (id, tenant_id) values (203, 1) returning n::text, at', [], taken],
  ['insert into jobs (id, tenant_id) values (203, 1) returning (select now())', [], subqueryInInsert],
  ['insert into jobs (id, tenant_id) select 203, 1 where coalesce(null::timestamptz > now(), true)', [], taken],
  [
    'insert into jobs (id, tenant_id) values (1, 1) on conflict (tenant_id, id) do update set n = (select 1)',
    [],
    subqueryInInsert,
  ],
  [
    'insert into jobs as j (id, tenant_id) values (1, 1) on conflict (tenant_id, id) do update set n = 3 where j.at < now()',
    [],
    mutableConflict,
  ],
  [
    "insert into jobs as j (id, tenant_id) values (1, 1) on conflict (tenant_id, id) do update set at = j.at + interval '1 s'",
    [],
    mutableInConflict,
  ],
  [
    'insert into jobs as j (id, tenant_id) values (1, 1) on conflict (tenant_id, id) do update set at = case when coalesce(j.at > excluded.at, true) then j.at else excluded.at end',
    [],
    taken,
  ],
  ['update jobs set s = at::text where tenant_id = 1', [], stableOfColumn],
  ['update jobs set s = (select at::text) where tenant_id = 1', [], taken],
  ['update jobs set s = n::text where tenant_id = 1', [], taken],
  ["update jobs set at = at + interval '1 s' where tenant_id = 1", [], stableOfColumn],
  ["update jobs set n = 1 where tenant_id = 1 and at + interval '1 s' > now()", [], stableOfColumn],
  ["update jobs set n = 1 where tenant_id = 1 and at > now() - interval '1 s'", [], taken],
  ['update jobs set n = 1 where tenant_id = 1 and coalesce(at > now(), true)', [], lazy],
  ['delete from jobs where tenant_id = 1 and coalesce(at > now(), true)', [], lazy],
  ['update jobs set n = 1 where tenant_id = 1 returning (select now())', [], taken],
  ['update jobs set n = 1 where tenant_id = 1 returning at::text', [], mutableReturned],
  [
    'select j.id, (select c.relname from pg_class c where c.relname = j.s) from jobs j where tenant_id = 1',
    [],
    localJoin,
  ],
  [
    'select j.id, (select c.relname from pg_class c where c.relname = s) from jobs j where tenant_id = 1',
    [],
    localJoin,
  ],
  ['select 1 from plain l where exists (select from jobs j where j.id = l.id and j.tenant_id = 1)', [], localJoin],
  ['select j.id, (select count(*) from plain) from jobs j where tenant_id = 1', [], taken],
  ['drop trigger if exists t on jobs', [], trigger],
  ["select textout(s) from jobs where tenant_id = 1 union all select textout('x'::text)", [], taken],
  ['select textout(s) from jobs where tenant_id = 1 union all select textout(id::text) from plain', [], cstring],
  ['(select textout(s) from jobs where tenant_id = 1) union all (select textout(id::text) from plain)', [], cstring],
  [
    "select textout((select s from jobs where tenant_id = 1 limit 1)) from plain union all select textout('x'::text)",
    [],
    cstring,
  ],
  ['insert into jobs as j (id, tenant_id) select 203, 1 returning (select now())', [], taken],
  ['insert into jobs as j (id, tenant_id) select 203, 1 returning json_build_array(j.id)::text', [], taken],
  ['select exists (select from jobs where tenant_id = 1), (select count(*) from plain)', [], noColumns],
]

/** The same of `jobs` that is on a node of its own. */
const ofOneNode: Measured[] = [
  ['update jobs set at = clock_timestamp()', [], volatileInUpdate],
  ['select id from jobs order by id limit 1 for update skip locked', [], taken],
  ['update jobs set n = 1 where exists (select from jobs b where b.id = jobs.id and b.n = 4)', [], taken],
  ['select exists (select from jobs where n = 1)', [], taken],
  [`select ${text} from jobs where n = 1 union all select ${text} from jobs where n = 2`, [], taken],
  [`with two as materialized (select ${text} from jobs limit 2) select textout from two`, [], taken],
  ['update jobs set tenant_id = 2 where id = 1', [], taken],
  ['create unique index u on jobs (s, n) where n > 1000', [], taken],
  [
    'with recursive r as (select 1 as n union all select (select max(j.n) from jobs j where j.n < r.n) from r where n is not null) select * from r',
    [],
    taken,
  ],
  [
    'with recursive r as (select 1 as n union all select (select max(j.n) from jobs j where j.n < r.n) from r where n is not null) select *, (select count(*) from plain) from r',
    [],
    recursive,
  ],
  ["select (select count(*) from jobs), s.n_distinct from pg_stats s where tablename = 'jobs'", [], statistics],
]

/** The same of `jobs` that is distributed. */
const measured: Measured[] = [
  ['insert into jobs (id, tenant_id) values (200, 1), (201, 2) returning *', [], taken],
  ['insert into jobs (id) values (200) returning *', [], noValue],
  ["select textout(s) from jobs union all select textout('x'::text)", [], cstring],
  ['update jobs set at = clock_timestamp() where tenant_id = $1', [1], volatileInUpdate],
  ['update jobs set at = now() where id = 1', [], taken],
  ['update jobs set at = now() where tenant_id = 1 and at < clock_timestamp()', [], volatileInWhere],
  [
    "update jobs set at = now() where tenant_id = 1 and (select set_config('synchronous_commit', 'off', true)) = 'off'",
    [],
    taken,
  ],
  [
    "update jobs set at = now() where tenant_id = 1 and set_config('synchronous_commit', 'off', true) = 'off'",
    [],
    volatileInWhere,
  ],
  ['update jobs set s = case when n > 1 then now()::text else s end where tenant_id = 1', [], lazy],
  ['update jobs set at = coalesce(at, now()) where tenant_id = 1', [], lazy],
  ['update jobs set n = n + 1 where tenant_id = 1 returning now()', [], mutableReturned],
  ['update jobs set n = n + 1 where tenant_id = 1 returning pg_catalog.textout(n::text)', [], taken],
  ['update jobs set s = pg_catalog.textout(n::text)::text where id = any($1)', [[1, 2]], taken],
  ['select id from jobs order by id limit 1 for update skip locked', [], lock],
  [locking, [], taken],
  ['select id from jobs where tenant_id = $1 order by id limit 1 for no key update skip locked', [1], taken],
  ['select id from jobs where tenant_id = any($1) order by id limit 1 for no key update skip locked', [[1]], taken],
  ['select id from jobs where tenant_id in (1, 2) order by id limit 1 for update', [], lock],
  [`update jobs set n = 1 where id in (${locking})`, [], taken],
  [`update jobs as "row" set n = 1 where tenant_id = 1 and id = any(array((${locking}))) returning id`, [], taken],
  [
    `with l as materialized (${locking}) update jobs set n = 1 where tenant_id = 1 and id = any(array(select id from l)) returning id`,
    [],
    taken,
  ],
  ['update jobs set n = 1 where id = any(array(select id from jobs where n = 3 limit 2))', [], taken],
  ['delete from jobs where id in (select id from jobs where n = 3 limit 2 for update skip locked)', [], lock],
  ['update jobs set n = 1 where exists (select from jobs b where b.id = jobs.id and b.n = 4)', [], join],
  ['update jobs set n = 1 where exists (select from jobs as b where b.id = jobs.id and b.n = 4)', [], join],
  ['select exists (select from jobs where n = 1)', [], noColumns],
  ['select exists (select from jobs where tenant_id = 1)', [], taken],
  ['select count(*) from (select from jobs where n > 1 limit 5) as five', [], noColumns],
  ['select count(*) from (select 1 from jobs where n > 1 limit 5) as five', [], taken],
  ['select n from jobs where exists (select from jobs b where b.tenant_id = 2)', [], noColumns],
  [`select ${text} from jobs order by n limit 1`, [], taken],
  [`select ${text} from (select * from jobs order by n limit 2) as two order by n`, [], taken],
  [`select ${text} from jobs where n = 1 union all select ${text} from jobs where n = 2`, [], cstring],
  [`select ${text} from jobs where tenant_id = 1 union all select ${text} from jobs where tenant_id = 1`, [], taken],
  [`select textout from (select ${text} from jobs order by n limit 2) as two`, [], cstring],
  [`with two as materialized (select ${text} from jobs limit 2) select textout from two`, [], cstring],
  ['with two as materialized (select s from jobs limit 2) select pg_catalog.textout(s) from two', [], taken],
  [`with them as (update jobs set n = 1 returning ${text}) select count(*) from them`, [], cstring],
  [`with them as (update jobs set n = 1 where tenant_id = 1 returning ${text}) select count(*) from them`, [], taken],
  [`select pg_catalog.textout(counts::text) from (${counted} union all ${counted}) as two`, [], taken],
  ['select json_build_array((select min(at) from jobs), (select n from jobs limit 1))::text', [], taken],
  ["select (select count(*) from jobs), c.reltuples from pg_class c where c.relname = 'jobs'", [], taken],
  ["select (select count(*) from jobs), s.n_distinct from pg_stats s where tablename = 'jobs'", [], statistics],
  [
    'with recursive r as (select 1 as n union all select (select max(j.n) from jobs j where j.n < r.n and tenant_id = 1) from r where n is not null) select * from r',
    [],
    taken,
  ],
  [
    'with recursive r as (select 1 as n union all select (select max(j.n) from jobs j where j.n < r.n) from r where n is not null) select * from r',
    [],
    recursive,
  ],
  [
    'with gone as (delete from jobs where tenant_id = 1 and id = 3 returning *) insert into jobs select * from gone',
    [],
    taken,
  ],
  ['create unique index u on jobs (n)', [], uniqueIndex],
  ['create unique index u on jobs (tenant_id, n)', [], taken],
  [
    'insert into jobs (id, tenant_id, n) values (1, 1, 1) on conflict (tenant_id, n) do update set at = now()',
    [],
    mutableInConflict,
  ],
  ['update jobs set tenant_id = 2 where tenant_id = 1', [], moved],
  ['update jobs set s = pg_column_size(n)::text where tenant_id = 1', [], stableOfColumn],
]

/** A real one to compare with, where somebody has it: `CITUS_URL=postgres://... npm test -- conformance/strict`. */
const citus = process.env.CITUS_URL

const database = await createTestDatabase()
const strict = await startStrict(database.url)
afterAll(async () => {
  strict.close()
  await database.close()
})

const servers: [name: string, url: string][] = [['the strict profile', strict.url]]
if (citus !== undefined) servers.push(['a real Citus', citus])

describe.each(servers)('%s', (_, url) => {
  const pool = quietPool({ connectionString: url, max: 1, options: '-c search_path=strict_profile' })

  const table = 'create table jobs (id int, tenant_id int, n int, at timestamptz, s text, primary key (tenant_id, id))'
  const rows = 'insert into jobs select i, i % 5, i from generate_series(1, 100) i'

  beforeAll(async () => {
    await pool.query('drop schema if exists strict_profile, strict_node cascade')
    await pool.query('create schema strict_profile; create schema strict_node')
    await pool.query('create table strict_profile.plain (id int)')
    await pool.query(table)
    await pool.query(`select create_distributed_table('jobs', 'tenant_id')`)
    await pool.query(rows)
    await pool.query(`select citus_schema_distribute('strict_node')`)
    await pool.query('set search_path = strict_node, strict_profile')
    await pool.query(table)
    await pool.query(rows)
    await pool.query('set search_path = strict_profile')
  })

  afterAll(async () => {
    await pool.query('drop schema strict_profile, strict_node cascade')
    await pool.end()
  })

  const saidTo = async (...statements: [text: string, parameters?: unknown[]][]) => {
    const client = await pool.connect()
    try {
      await client.query('begin')
      for (const [text, parameters = []] of statements) await client.query(text, parameters)
      return undefined
    } catch (error) {
      const { code, message } = error as { code: string; message: string }
      return { code, message }
    } finally {
      await client.query('rollback')
      client.release()
    }
  }

  test.each([...alike, ...measured])('says to %s what Citus says', async (statement, parameters, said) => {
    expect(await saidTo([statement, parameters])).toEqual(said)
  })

  test.each([...alike, ...ofOneNode])(
    'says of a table on a node of its own to %s what Citus says',
    async (...[statement, parameters, said]) => {
      const named = statement.replaceAll(/\b(from|update|into|on) jobs\b/g, '$1 strict_node.jobs')
      expect(await saidTo([named, parameters])).toEqual(said)
    },
  )

  test('refuses triggers on a distributed table, and to distribute one that has any, or a key without the column', async () => {
    const fn = `create function f() returns trigger language plpgsql as 'begin return new; end'`
    const trigger = (table: string) => `create trigger t after insert on ${table} execute function f()`
    expect(await saidTo([fn], [trigger('jobs')])).toEqual({
      code: 'XX000',
      message: 'triggers are not supported on distributed tables',
    })
    const table = 'create table others (id int, tenant_id int, primary key (tenant_id, id))'
    const distribute = (name: string) => `select create_distributed_table('${name}', 'tenant_id')`
    expect(await saidTo([fn], [table], [trigger('others')], [distribute('others')])).toEqual({
      code: 'XX000',
      message: 'cannot distribute relation "others" because it has triggers',
    })
    expect(await saidTo(['create table bad (id int primary key, tenant_id int)'], [distribute('bad')])).toEqual({
      code: '0A000',
      message: 'cannot create constraint on "bad"',
    })
  })
})

test('a table of the coordinator alone keeps its promises', async () => {
  const only = ['claim', 'complete', 'wake', 'limits', 'count']
  const found = await runSuite(strict.url, { only })
  expect(verdicts(found)).toEqual(Object.fromEntries(only.map((name) => [name, allHold[name]])))
  expect(found.home).toMatchObject({ engine: { name: 'Citus', version: '13.2-1' }, placement: { kind: 'local' } })
})

test('a table that is distributed keeps its promises, by polling', async () => {
  await using other = await createTestDatabase()
  const distributing = await startStrict(other.url)
  const found = await runSuite(distributing.url, { distributeBy: 'tenant_id' })
  distributing.close()
  expect(found.home).toMatchObject({ placement: { kind: 'distributed', by: 'tenant_id' } })
  expect(verdicts(found)).toEqual({ ...allHold, wake: 'polled', plans: 'absent' })
  const reasons = Object.fromEntries(found.judged.map(({ name, reason }) => [name, reason]))
  expect(reasons).toMatchObject({
    wake: expect.stringContaining('no trigger tells workers'),
    plans: expect.stringContaining('to ask which values have due jobs'),
  })
})

test('a table on a node of its own keeps its promises, by polling', async () => {
  const sharded = new URL(strict.url)
  sharded.searchParams.set('options', '-c citus.enable_schema_based_sharding=on')
  const found = await runSuite(sharded.href)
  expect(found.home).toMatchObject({ placement: { kind: 'one node' } })
  expect(verdicts(found)).toEqual({ ...allHold, wake: 'polled' })
})

test('of a table that is distributed by hand, and of which the product knows nothing, each refusal is told', async () => {
  await using other = await createTestDatabase()
  const distributing = await startStrict(other.url, { distributeBy: 'tenant_id' })
  const pool = quietPool({ connectionString: distributing.url, max: 1 })
  await pool.query('create table jobs (id int primary key, tenant_id int, at timestamptz)')
  await expect(pool.query('update jobs set at = clock_timestamp()')).rejects.toMatchObject(volatileInUpdate)
  expect(distributing.refused).toEqual([
    { statement: 'update jobs set at = clock_timestamp()', message: volatileInUpdate.message },
  ])
  await pool.end()
  distributing.close()
})
