import type { Mutant } from './mutant.ts'

const verbs = 'test/citus/verbs.test.ts'
const apart = 'test/citus/apart.test.ts'

/** Faults in what fits statements to a distributed engine, and in claims value by value. */
export const inCitus: readonly Mutant[] = [
  {
    name: 'statements that do not name the value',
    breaks: 'nothing is claimed or settled in a distributed table',
    file: 'src/schema/fitted.ts',
    text: 'if (names.length === 0) return query',
    replacement: 'if (names.length >= 0) return query',
    test: verbs,
    title: 'what is claimed of several tenants is settled, each job by its own lease',
  },
  {
    name: 'rows that are known by their id alone',
    breaks: 'a job of another tenant is cancelled, which has the same id',
    file: 'src/queue/by-value.ts',
    text: 'return [...values].map(([value, rows]) => [jobsOfValue(jobs, value), rows])',
    replacement: 'return [...values].map(([, all]) => [jobsOfValue(jobs, [...values.keys()][0] ?? ""), all])',
    test: verbs,
    title: 'what is claimed of several tenants is settled, each job by its own lease',
  },
  {
    name: 'claims that stay with the first value',
    breaks: 'a tenant with a million jobs keeps all others waiting',
    file: 'src/worker/claim/value-claims.ts',
    text: 'if (found.value.isMore) this.#values.push(value)',
    replacement: 'if (found.value.isMore) this.#values.unshift(value)',
    test: 'test/citus/worker.test.ts',
    title: 'tenants with many jobs keep none waiting that has few',
  },
  {
    name: 'starts of a tenant that nobody keeps',
    breaks: 'a rate lets as many start with each claim as its burst, where a table is distributed',
    file: 'src/queue/keyed-fetch.ts',
    text: 'if (ofClaim.spent && kept) await',
    replacement: 'if (ofClaim.spent && !kept) await',
    test: 'test/citus/limits.test.ts',
    title: 'a rate of a tenant is kept by what each claim has used',
  },
  {
    name: 'claims of a tenant that do not wait for each other',
    breaks: 'more jobs of a tenant run than its limit says',
    file: 'src/worker/claim/keys-of-values.ts',
    text: 'const limited = isLimited(this.#keyed) ? table : undefined',
    replacement: 'const limited = isLimited(this.#keyed) ? undefined : table',
    test: 'test/citus/limits.test.ts',
    title: 'at most so many jobs of a tenant run at the same time, over all workers, and all are done',
  },
  {
    name: 'a lease that is not renewed and stops the others',
    breaks: 'one row that is refused lets the leases of other tenants run out',
    file: 'src/queue/fenced.ts',
    text: 'failures.push(error) // the rows',
    replacement: 'throw error // the rows',
    test: apart,
    title: 'leases of a tenant whose renewal is refused are an error, and those of the others are renewed',
  },
  {
    name: 'a refusal that nobody hears of',
    breaks: 'what a node refuses is swallowed where others have written',
    file: 'src/queue/fenced.ts',
    text: 'if (failures.length > 0) throw failures[0]',
    replacement: '',
    test: apart,
    title: 'leases of a tenant whose renewal is refused are an error, and those of the others are renewed',
  },
  {
    name: 'a rescue that ends with the first refusal',
    breaks: 'one row that is refused keeps what dead workers left of other tenants',
    file: 'src/queue/rescue.ts',
    text: 'failures.push(error)',
    replacement: 'throw error',
    test: apart,
    title: 'where what a dead worker left of a tenant can not be taken from it, that of the others is',
  },
  {
    name: 'any table called job is narrowed',
    breaks: 'conditions on a table of the user’s that is called job fail, or find nothing',
    file: 'src/schema/fitted.ts',
    text: 'return node.table.identifier.name === this.#table ? this.#table : undefined',
    replacement: 'return node.table.identifier.name',
    test: apart,
    title: 'a table of the user’s that is called as a job is in conditions is none of the jobs',
  },
  {
    name: 'homes that are asked for together',
    breaks: 'a transaction waits for another one',
    file: 'src/schema/known-home.ts',
    text: 'const home = homes.get(written) ?? (await readHome(db, table))',
    replacement:
      'const asked = ((globalThis as any)[written] ??= readHome(db, table)) as Promise<Home | undefined>\n  const home = homes.get(written) ?? (await asked)',
    test: apart,
    title: 'the first unique job that a transaction enqueues waits for no other transaction',
  },
]
