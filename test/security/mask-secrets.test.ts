import { expect, test } from 'vitest'
import { withoutSecrets } from '../../src/worker/run/mask-secrets.js'

test.each([
  ['postgres://ada:s3cret@host/db', 'postgres://ada:***@host/db'],
  ['postgres://:s3cret@host/db', 'postgres://:***@host/db'],
  ['postgres://ada:s3/cret@host/db', 'postgres://ada:***@host/db'],
  ['postgres://ada:s3#cret@host/db', 'postgres://ada:***@host/db'],
  ['postgres://ada:s3@cret@host/db', 'postgres://ada:***@host/db'],
  ['postgres://ada:s3@cret/s3#cret@host/db', 'postgres://ada:***@host/db'],
  ['postgres://ada:s3?cret@host/db', 'postgres://ada:***@host/db'],
  ['postgres://ada:s3:cret@host/db', 'postgres://ada:***@host/db'],
  ['postgres://ada:12345/s3cret@host/db', 'postgres://ada:***@host/db'],
  ['postgres://ada:s3%2Fcret%40%23@host:5432/db', 'postgres://ada:***@host:5432/db'],
  ['postgres://ada:s3%cret@host/db', 'postgres://ada:***@host/db'],
  ['postgres://ada:s3 cret@host/db is away', 'postgres://ada:***@host/db is away'],
  ['postgres://ada:s3"cret@host/db', 'postgres://ada:***@host/db'],
  ['postgres://ada:s3cret@[::1]:5432/db', 'postgres://ada:***@[::1]:5432/db'],
  ['postgres://ada:s3cret', 'postgres://ada:***'],
  ['postgres://ada:s3cret/cut off', 'postgres://ada:*** off'],
  ['postgres://ada:s3cret@', 'postgres://ada:***@'],
  ['redis://:s3cret@h1,h2', 'redis://:***@h1,h2'],
  ['https://ann:s3cret@example.com/@scope/name', 'https://ann:***@example.com/@scope/name'],
  ['(postgres://ada:s3cret@host/db)', '(postgres://ada:***@host/db)'],
  ["'postgres://ada:s3cret@host/db'", "'postgres://ada:***@host/db'"],
  ['postgres://a:s3cret@h/x postgres://b:s3cret@i/y', 'postgres://a:***@h/x postgres://b:***@i/y'],
  ['postgres://a:s3cret@h/x,postgres://b:s3cret@i/y', 'postgres://a:***@h/x,postgres://b:***@i/y'],
  ['one\npostgres://ada:s3cret@host/db\ntwo', 'one\npostgres://ada:***@host/db\ntwo'],
  ['postgres://host/db?password=s3cret&user=ada', 'postgres://host/db?password=***&user=ada'],
  ['postgres://host/db?user=ada&password=s3/#@cret', 'postgres://host/db?user=ada&password=***'],
  ['postgres:///db?host=/tmp&p%61ssword=s3cret', 'postgres:///db?host=/tmp&p%61ssword=***'],
  ['postgres://ada:s3cret@host/db?password=s3cret', 'postgres://ada:***@host/db?password=***'],
  ['https://host/#access_token=s3cret', 'https://host/#access_token=***'],
  ['socket:/tmp/x?password=s3cret', 'socket:/tmp/x?password=***'],
  ['host=h password=s3/#@cret user=ada', 'host=h password=*** user=ada'],
  ["host=h password = 's3 \\' cret' user=ada", "host=h password = '***' user=ada"],
  ["password='s3 cret, never closed", "password='***"],
  ['PGPASSWORD=s3cret psql', 'PGPASSWORD=*** psql'],
  ["{ host: 'h', password: 's3cret' }", "{ host: 'h', password: '***' }"],
  ['{"password":"s3\\"cret","user":"ada"}', '{"password":"***","user":"ada"}'],
  ['password=my\\ s3cret host=h', 'password=*** host=h'],
])('%j is told as %j', (text, told) => {
  expect(withoutSecrets(text)).toBe(told)
})

test.each([
  'connect ECONNREFUSED 127.0.0.1:5432',
  'http://localhost:3000/users?page=2&mail=ada@example.com',
  'https://registry.example.com:8080/@scope/name',
  'postgres://ada@host:5432/db?application_name=ada@home',
  'postgres://h1:5432,h2:5432/db?target_session_attrs=any',
  'postgres://[::1]:5432/db',
  'at run (file:///home/ada/node_modules/.pnpm/pg@8.11.0/node_modules/pg/lib/client.js:12:3)',
  'password authentication failed for user "ada"',
  'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string',
  'password: must be longer',
  '',
])('of %j nothing is masked', (text) => {
  expect(withoutSecrets(text)).toBe(text)
})

test.each<[string, string]>([
  ['no end of a scheme', 'a'.repeat(1_000_000)],
  ['many colons and slashes', '://'.repeat(300_000)],
  ['many URLs without an end', 'a://b:c '.repeat(100_000)],
  ['many signs that belong nowhere', 'postgres://a:@#/?&='.repeat(50_000)],
  ['many settings', `password=${'\\'.repeat(100_000)} `.repeat(10)],
  ['many open quotes', "password='".repeat(100_000)],
  ['many spaces', `password${' '.repeat(1_000_000)}`],
])('a huge text of %s is read once', (_, text) => {
  expect(withoutSecrets(text).length).toBeGreaterThan(0)
})
