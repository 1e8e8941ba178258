import ts from 'typescript-5.9'
import { brokenFloor } from './floors.js'
import { commentLines, type Import, imports, line, nodes, parse, type Source } from './source.js'

/** A rule of the house: what breaks it in one file, each with its line and why. */
export interface Rule {
  readonly name: string
  readonly breaches: (source: Source) => Breach[]
  /** A file that breaks it, to prove that the rule sees. */
  readonly bad: Source
}

interface Breach {
  readonly at: ts.Node
  readonly why: string
}

const maxFileLines = 250
const maxFunctionLines = 50

/** Files that are run, not imported. */
const programs = ['src/cli/main.ts', 'src/dashboard/client/main.ts']

export const rules: Rule[] = [
  {
    name: 'imports run down the floors only',
    breaches: (source) => importBreaches(source, (each) => brokenFloor(source, each)),
    bad: parse('src/schema/a.ts', `import { b } from '../queue/b.js'`),
  },
  {
    name: 'the tracing API is imported in src/otel alone',
    breaches: (source) =>
      importBreaches(source, ({ from }) =>
        from.startsWith('@opentelemetry/') && !within(source, 'src/otel') ? 'only src/otel traces' : undefined,
      ),
    bad: parse('src/worker/a.ts', `import { trace } from '@opentelemetry/api'`),
  },
  {
    name: 'raw sql stands only where expressions and statements are made',
    breaches: (source) =>
      importBreaches(source, ({ from, names }) =>
        from === 'kysely' && names.includes('sql') && !within(source, ...rawSqlFolders)
          ? `raw sql belongs to ${rawSqlFolders.join(', ')}`
          : undefined,
      ),
    bad: parse('src/worker/a.ts', `import { type Kysely, sql } from 'kysely'`),
  },
  {
    name: 'there is no any',
    breaches: everywhere((node) =>
      node.kind === ts.SyntaxKind.AnyKeyword ? 'any: say the type, or unknown' : undefined,
    ),
    bad: parse('src/worker/a.ts', 'export const a = (b: any) => b'),
  },
  {
    name: 'a cast has its reason beside it',
    breaches: unexplainedCasts,
    bad: parse('src/worker/a.ts', 'export const a = (b: unknown) => b as string'),
  },
  {
    name: 'the library neither prints to standard output nor reads the environment',
    breaches: (source) => (within(source, 'src/cli') ? [] : everywhere(ambient)(source)),
    bad: parse('src/worker/a.ts', 'export const a = () => console.log(process.env.A)'),
  },
  {
    name: 'importing a file does nothing, and no file holds a variable',
    breaches: (source) => (programs.includes(source.path) ? [] : effects(source)),
    bad: parse('src/worker/a.ts', 'let count = 0\nregister(count)'),
  },
  {
    name: `no file is longer than ${maxFileLines} lines`,
    breaches: (source) => {
      const lines = line(source, source.ast.text.trimEnd().length) + 1
      return lines > maxFileLines
        ? [{ at: source.ast.endOfFileToken, why: `${lines} lines: what are its two ideas?` }]
        : []
    },
    bad: parse('src/worker/a.ts', `${'//\n'.repeat(maxFileLines)}export const a = 1`),
  },
  {
    name: `no function is longer than ${maxFunctionLines} lines`,
    breaches: (source) => everywhere((node) => longFunction(source, node))(source),
    bad: parse('src/worker/a.ts', `export function a() {\n${'  b()\n'.repeat(maxFunctionLines - 1)}}`),
  },
  {
    name: 'files are called by what they hold, in the words of the house',
    breaches: (source) => {
      const why = badFileName(source.path)
      return why === undefined ? [] : [{ at: source.ast, why }]
    },
    bad: parse('src/worker/taskUtils.ts', ''),
  },
  {
    name: 'declared names are in the words of the house',
    breaches: everywhere((node) => {
      const word = declaredName(node)?.replace(databaseEngine, '').match(foreignWords)
      return word ? `${word.input}: we do not say ${word[0].toLowerCase()}` : undefined
    }),
    bad: parse('src/worker/a.ts', 'export class QueueManager {}'),
  },
]

/** The breaches of a rule in some files, each as `file:line: why`. */
export function breachesOf(rule: Rule, sources: readonly Source[]): string[] {
  return sources.flatMap((source) =>
    rule.breaches(source).map(({ at, why }) => `${source.path}:${line(source, at.getStart(source.ast)) + 1}: ${why}`),
  )
}

const rawSqlFolders = [
  ...['src/schema', 'src/predicates', 'src/queue', 'src/schedule', 'src/records', 'src/observe', 'src/doctor'],
  ...['src/migrate', 'codegen'],
]

function within({ path }: Source, ...folders: string[]): boolean {
  return folders.some((folder) => path.startsWith(`${folder}/`))
}

function everywhere(why: (node: ts.Node) => string | undefined): (source: Source) => Breach[] {
  return ({ ast }) =>
    [...nodes(ast)].flatMap((at) => {
      const reason = why(at)
      return reason === undefined ? [] : [{ at, why: reason }]
    })
}

function importBreaches(source: Source, why: (each: Import) => string | undefined): Breach[] {
  return imports(source).flatMap((each) => {
    const reason = why(each)
    return reason === undefined ? [] : [{ at: each.node, why: reason }]
  })
}

function unexplainedCasts(source: Source): Breach[] {
  const comments = commentLines(source)
  return everywhere((node) => {
    if (!ts.isAsExpression(node) && !ts.isTypeAssertionExpression(node)) return undefined
    if (ts.isConstTypeReference(node.type)) return undefined
    const [first, last] = [line(source, node.getStart(source.ast)), line(source, node.end)]
    const explained = comments.has(first - 1) || comments.has(first) || comments.has(last)
    return explained ? undefined : 'a cast without its reason: say why on its line or the line above'
  })(source)
}

function ambient(node: ts.Node): string | undefined {
  if (!ts.isPropertyAccessExpression(node)) return undefined
  const text = node.getText()
  if (text === 'process.env') return 'process.env: the caller passes what we need'
  return /^console\.(?!warn$|error$)/.test(text) ? `${text}: emit an event or use the logger` : undefined
}

function effects({ ast }: Source): Breach[] {
  return ast.statements.flatMap((at) => {
    if (ts.isVariableStatement(at)) {
      return at.declarationList.flags & ts.NodeFlags.Const
        ? []
        : [{ at, why: 'a variable shared by all who import it' }]
    }
    const inert = ts.isDeclarationStatement(at) || ts.isImportDeclaration(at) || ts.isExportDeclaration(at)
    return inert || ts.isEmptyStatement(at) ? [] : [{ at, why: 'runs at import' }]
  })
}

function longFunction(source: Source, node: ts.Node): string | undefined {
  if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return undefined
  const lines = line(source, node.end) - line(source, node.getStart(source.ast)) + 1
  return lines > maxFunctionLines ? `a function of ${lines} lines: name its steps` : undefined
}

const foreignWords =
  /(?<![a-z])(task|consumer|producer|engine|manager|processor|util|helper)s?(?![a-z])|(?:Task|Consumer|Producer|Engine|Manager|Processor|Util|Helper)s?(?![a-z])/

/** An engine is a database's, and nothing else: none of jobs, queues, workers or what runs them. */
const databaseEngine = /(?<!(?:job|queue|worker|run|runner|schedule)s?-?)engines?/gi

function badFileName(path: string): string | undefined {
  const parts = path.split('/')
  if (!parts.every((part) => /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)?\.?([a-z]+)?$/.test(part))) return 'not in kebab-case'
  const word =
    path.match(/(?<=[/-])(types|common|misc|message-queue)(?=[/.-])/) ??
    path.replace(databaseEngine, '').match(foreignWords)
  return word ? `we call nothing ${word[0]}` : undefined
}

function declaredName(node: ts.Node): string | undefined {
  const declares =
    ts.isVariableDeclaration(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isPropertySignature(node) ||
    ts.isParameter(node)
  return declares && node.name !== undefined && ts.isIdentifier(node.name) ? node.name.text : undefined
}
