import { Kysely, PostgresDialect, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { generateTypes } from '../../codegen/generated-file.js'
import { createTestDatabase, quietPool } from '../support/database.js'

test('a search_path with other operators and other catalogs before those of Postgres changes nothing', async () => {
  await using database = await createTestDatabase()
  await sql
    .raw(`create type mood as enum ('sad'); create table users (id int not null default 1, mood mood);
    create schema evil;
    create view evil.pg_class as select * from pg_class where false;
    create view evil.pg_type as select * from pg_type where false;
    create function evil.never(oid, oid) returns bool language sql as 'select false';
    create operator evil.= (leftarg = oid, rightarg = oid, procedure = evil.never);
    create function evil.json_build_object(variadic "any") returns json language internal as 'json_build_object';
    create function evil.obj_description(oid, name) returns text language sql as $$ select 'evil' $$;
    create function evil.has_schema_privilege(oid, text) returns bool language sql as 'select false';`)
    .execute(database.db)
  const plain = await generateTypes(database.db)
  expect(plain).toContain('id: Generated<number>\n  mood: Mood | null')

  const pool = quietPool({ connectionString: database.url, options: '-c search_path=evil,pg_catalog' })
  onTestFinished(() => pool.end())
  const { rows } = await pool.query('select 1::oid = 1::oid as same, count(*)::int as tables from pg_class')
  expect(rows).toEqual([{ same: false, tables: 0 }])
  expect(await generateTypes(new Kysely({ dialect: new PostgresDialect({ pool }) }))).toBe(plain)
})
