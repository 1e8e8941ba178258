import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript-5.9'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** A file of ours and its syntax; the path is from the top of the project. */
export interface Source {
  readonly path: string
  readonly ast: ts.SourceFile
}

/** One import or re-export. */
export interface Import {
  readonly node: ts.Node
  /** What is imported from: a file of ours (path from the top), or a package. */
  readonly from: string
  /** The names it takes, as the other file calls them. */
  readonly names: readonly string[]
  /** It is made while the program runs, by `import()`; or it is of types alone, and never made. */
  readonly isLazy: boolean
}

export function readSources(...folders: string[]): Source[] {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => globSync(`${folder}/**/*.{ts,tsx}`, { cwd: root }))
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.includes('node_modules/'))
    .sort()
    .map((path) => parse(path, readFileSync(join(root, path), 'utf8')))
}

export function parse(path: string, text: string): Source {
  return { path, ast: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) }
}

/** Every node of a file, outermost first. */
export function* nodes(node: ts.Node): Generator<ts.Node> {
  yield node
  const children: ts.Node[] = []
  node.forEachChild((child) => void children.push(child))
  for (const child of children) yield* nodes(child)
}

export function imports({ path, ast }: Source): Import[] {
  const found: Import[] = []
  for (const node of nodes(ast)) {
    const specifier = importedFrom(node)
    if (specifier !== undefined)
      found.push({ node, from: resolve(path, specifier), names: importedNames(node), isLazy: isLazy(node) })
  }
  return found
}

function isLazy(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node)) return node.importClause?.isTypeOnly ?? false
  return ts.isExportDeclaration(node) ? node.isTypeOnly : true
}

function importedFrom(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return literal(node.moduleSpecifier)
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return literal(node.argument.literal)
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return literal(node.arguments[0])
  }
  return undefined
}

function importedNames(node: ts.Node): string[] {
  const bindings = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : undefined
  if (bindings === undefined || !ts.isNamedImports(bindings)) return []
  return bindings.elements.map((element) => (element.propertyName ?? element.name).text)
}

function literal(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteral(node) ? node.text : undefined
}

function resolve(path: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier
  const file = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
  return existsSync(join(root, `${file}x`)) ? `${file}x` : file
}

export function line({ ast }: Source, position: number): number {
  return ast.getLineAndCharacterOfPosition(position).line
}

/** The lines (from 0) on which a comment stands or ends. */
export function commentLines(source: Source): Set<number> {
  const lines = new Set<number>()
  const text = source.ast.text
  const visit = (node: ts.Node): void => {
    const ranges = [
      ...(ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(text, node.end) ?? []),
    ]
    for (const { end } of ranges) lines.add(line(source, end))
    for (const child of node.getChildren(source.ast)) visit(child)
  }
  visit(source.ast)
  return lines
}
