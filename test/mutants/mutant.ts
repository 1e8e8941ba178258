import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript-5.9'

/** A small fault, such as a hurried change would leave behind. */
export interface Mutant {
  readonly name: string
  /** What its users would see of it. */
  readonly breaks: string
  readonly file: string
  /** The text that is replaced, to be found exactly once, and what stands there then. */
  readonly text: string
  readonly replacement: string
  /** The test that must fail: its file, and how its title begins. */
  readonly test: string
  readonly title: string
}

/** The file with its fault. @throws where the text is not there exactly once: then the list is what has to be mended */
export function mutated(project: string, { name, file, text, replacement }: Mutant): string {
  const [before, ...others] = readFileSync(join(project, file), 'utf8').split(text)
  if (others.length !== 1)
    throw new Error(`${name}: in ${file} this is there ${others.length} times, not once: ${text}`)
  return `${before}${replacement}${others[0]}`
}

const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  jsx: ts.JsxEmit.ReactJSX,
  jsxImportSource: 'hono/jsx',
}

/** A file of ours as its users' programs run it. @throws where it is no TypeScript */
export function compiled(source: string, fileName: string): string {
  const { outputText, diagnostics } = ts.transpileModule(source, { reportDiagnostics: true, compilerOptions, fileName })
  const [wrong] = diagnostics ?? []
  if (wrong !== undefined) throw new SyntaxError(ts.flattenDiagnosticMessageText(wrong.messageText, '\n'))
  return outputText
}
