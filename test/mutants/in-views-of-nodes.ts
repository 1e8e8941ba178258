import type { Mutant } from './mutant.ts'

const observe = 'test/citus/observe.test.ts'

/** Faults in what people look at where tables are on other nodes. */
export const inViewsOfNodes: readonly Mutant[] = [
  {
    name: 'texts that nodes are to send each other',
    breaks: 'status fails where one of the tables is distributed',
    file: 'src/observe/overview.ts',
    text: 'textsOfUnion(parts).compile',
    replacement:
      'sql.join(parts.map((each) => sql.join([sql`select pg_catalog.textout(kysely_jobs_text::text) from (`, each, sql`) as one`], sql` `)), sql` union all `).compile',
    test: observe,
    title: 'the overview counts the jobs of all nodes, beside those of a table of the coordinator',
  },
  {
    name: 'rows without columns',
    breaks: 'lists of a distributed table fail',
    file: 'src/observe/page.ts',
    text: 'select 1 from',
    replacement: 'select from',
    test: observe,
    title: 'have each job of all nodes once, page by page, forth and back',
  },
  {
    name: 'lists that nodes send whole',
    breaks: 'a list of fifty jobs sends the payloads of ten thousand jobs of each shard to the coordinator',
    file: 'src/observe/find-jobs.ts',
    text: 'if (spread !== undefined) return rowsOfNodes',
    replacement: 'if (spread === null) return rowsOfNodes',
    test: observe,
    title: 'are read along indexes by the nodes too, which are told so, and send what tells jobs apart',
  },
  {
    name: 'settings of the coordinator alone',
    breaks: 'nodes sort all that waits for a page of a list',
    file: 'src/schema/local-settings.ts',
    text: "if (kind === 'local') {",
    replacement: "if (kind !== 'every node') {",
    test: observe,
    title: 'are read along indexes by the nodes too, which are told so, and send what tells jobs apart',
  },
  {
    name: 'an edit by the id alone',
    breaks: 'a job of another tenant is edited, which has the same id',
    file: 'src/observe/one-job.ts',
    text: 'hasValue(view.spread, key)',
    replacement: 'sql<SqlBool>`true`',
    test: observe,
    title: 'is given other values, and no other that has its id',
  },
  {
    name: 'a shell that is taken for an empty table',
    breaks: 'status reads a table of many nodes as a whole, which lacks an index',
    file: 'src/schema/known-indexes.ts',
    text: 'const isHere = extensions?.citus',
    replacement: 'const isHere = extensions?.none',
    test: observe,
    title: 'what no index leads to is not counted, as it is not known how much there is',
  },
  {
    name: 'dead rows of all shards together',
    breaks: 'the doctor wants a table vacuumed of which no shard has many dead rows',
    file: 'src/doctor/checks/storage.ts',
    text: 'count >= manyDead * shards',
    replacement: 'count >= manyDead * Math.min(shards, 1)',
    test: 'test/citus/doctor.test.ts',
    title: 'shards are vacuumed one by one, and so their dead rows are many where those of one would be',
  },
]
