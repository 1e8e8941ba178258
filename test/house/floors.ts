import { type Import, imports, type Source } from './source.js'

/** Which floors a floor may stand on. A job's way is the pile itself, so imports only ever run down. */
const restsOn: Record<string, readonly string[]> = {
  schema: [],
  migrate: ['schema'],
  pg: ['schema'],
  predicates: ['schema'],
  watch: ['pg', 'predicates', 'schema'],
  queue: ['pg', 'predicates', 'schema'],
  records: ['queue', 'predicates', 'pg', 'schema'],
  worker: ['records', 'queue', 'predicates', 'watch', 'pg', 'schema'],
  ihp: ['worker', 'queue', 'predicates', 'watch', 'schema'],
  schedule: ['queue', 'predicates', 'pg', 'schema'],
  observe: ['records', 'schedule', 'queue', 'predicates', 'pg', 'schema'],
  runner: ['records', 'schedule', 'pg', 'worker', 'queue', 'predicates', 'watch', 'schema'],
  health: ['runner', 'worker', 'schema'],
  telemetry: ['records', 'worker', 'queue', 'predicates', 'watch', 'pg', 'schema'],
  metrics: ['telemetry', 'records', 'schema'],
  doctor: ['observe', 'records', 'schedule', 'queue', 'predicates', 'watch', 'pg', 'migrate', 'schema'],
  // It tries them all, as a user's program would.
  conformance: ['worker', 'queue', 'predicates', 'watch', 'pg', 'migrate', 'schema'],
  cli: [
    ...['codegen', 'conformance', 'dashboard', 'doctor', 'observe', 'records', 'schedule', 'runner', 'worker'],
    ...['queue', 'predicates', 'watch', 'pg', 'migrate', 'schema'],
  ],
  // The overview tells what the doctor finds.
  dashboard: ['doctor', 'observe', 'records', 'schedule', 'worker', 'queue', 'predicates', 'watch', 'pg', 'schema'],
  otel: ['telemetry', 'records', 'worker', 'queue', 'pg', 'schema'],
  testing: ['runner', 'worker', 'queue', 'predicates', 'watch', 'migrate', 'schema'],
  codegen: ['schema'],
}

/** The floor of a file: a folder of src, `codegen`, or the door (`src/index.ts`, which may use them all). */
function floorOf(path: string): string {
  const [top, folder = ''] = path.split('/')
  if (top === 'codegen') return 'codegen'
  return folder.endsWith('.ts') ? 'the door' : folder
}

/** What is wrong with one import, if anything. */
export function brokenFloor({ path }: Source, { from }: Import): string | undefined {
  const floor = floorOf(path)
  if (floor === 'the door' && path !== 'src/index.ts') return 'only index.ts stands at the top of src'
  if (from === 'kysely-jobs' || from.startsWith('kysely-jobs/')) return 'our own files are imported by their path'
  if (!from.startsWith('src/') && !from.startsWith('codegen/')) {
    return from.includes('../') || /^(test|tools|examples|bench|migrations)\//.test(from)
      ? `${from} is outside of what we ship`
      : undefined
  }
  if (floor === 'the door') return undefined
  const allowed = restsOn[floor]
  if (allowed === undefined) return `the house has no floor called ${floor}`
  const below = floorOf(from)
  return below === floor || allowed.includes(below) ? undefined : `${floor} does not rest on ${below} (${from})`
}

/** Each circle once, as the files in it, in the order of the imports. */
export function circles(sources: readonly Source[]): string[] {
  const graph = new Map(sources.map((source) => [source.path, imports(source).map(({ from }) => from)]))
  const found: string[] = []
  const done = new Set<string>()
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) {
      found.push([...way.slice(way.indexOf(path)), path].join(' -> '))
      return
    }
    if (done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...way, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}
