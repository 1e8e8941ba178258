import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import ts from 'typescript-5.9'
import { expect, test } from 'vitest'

// What an editor shows when a user points at a name of ours: read from the source of every entry point.

interface Public {
  readonly name: string
  readonly node: ts.Node
  readonly text: string
}

const entries = [
  'src',
  'src/dashboard',
  'src/ihp',
  'src/metrics',
  'src/migrate',
  'src/otel',
  'src/pg',
  'src/queue',
].map((folder) => `${folder}/index.ts`)
const declared = new Map(entries.flatMap(exportsOf).map((each) => [each.name, each]))

test('every public name says in a sentence what it is, and of options each one does', () => {
  expect(names(({ node }) => partsOf(node).some((part) => docsOf(part) === ''))).toEqual([])
})

test('every public function has a sample', () => {
  expect([...declared.values()].filter(({ node }) => ts.isFunctionDeclaration(node)).length).toBeGreaterThan(40)
  expect(names(({ node }) => ts.isFunctionDeclaration(node) && !docsOf(node).includes('@example'))).toEqual([])
})

test('no public comment speaks of a list that its reader does not have', () => {
  const lists = /\b[DRS]\d{1,2}\b|\bDESIGN\b|\bSTYLE\b/
  expect(names(({ text }) => (text.match(/\/\*\*[\s\S]*?\*\//g) ?? []).some((comment) => lists.test(comment)))).toEqual(
    [],
  )
})

function names(where: (each: Public) => boolean): string[] {
  return [...declared.values()].filter(where).map(({ name }) => name)
}

/** What has to be explained: a declaration, or, for options, its members. */
function partsOf(node: ts.Node): readonly ts.Node[] {
  return ts.isInterfaceDeclaration(node) && /(Options|Bounds)$/.test(node.name.text) ? node.members : [node]
}

function docsOf(node: ts.Node): string {
  return ts
    .getJSDocCommentsAndTags(node)
    .map((each) => each.getText())
    .join('\n')
}

/** The declarations that an index file gives away. */
function exportsOf(index: string): Public[] {
  return parse(index)
    .statements.filter(ts.isExportDeclaration)
    .flatMap(({ moduleSpecifier, exportClause }) => {
      if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier) || !exportClause || !ts.isNamedExports(exportClause))
        return []
      const file = parse(join(dirname(index), moduleSpecifier.text.replace(/\.js$/, '.ts')))
      return exportClause.elements.map(({ name }) => declaration(file, name.text))
    })
}

function declaration(file: ts.SourceFile, name: string): Public {
  const node = file.statements.find((statement) => declaredNames(statement).includes(name))
  if (node === undefined) throw new Error(`${file.fileName} does not declare ${name}`)
  return { name, node, text: file.text.slice(node.getFullStart(), node.end) }
}

function declaredNames(node: ts.Statement): string[] {
  if (ts.isVariableStatement(node)) return node.declarationList.declarations.map(({ name }) => name.getText())
  const name = (node as { name?: ts.Identifier }).name // functions, classes, interfaces and types have one
  return name === undefined ? [] : [name.text]
}

function parse(path: string): ts.SourceFile {
  const file = normalize(path)
  return ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2023, true)
}
