import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type ts from 'typescript-5.9'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Those that our users may have, by the folder in node_modules. */
export const compilers = ['typescript-5.4', 'typescript-5.9', 'typescript-6', 'typescript'] as const
export type Compiler = (typeof compilers)[number]

/** What a compiler prints of the project of a tsconfig.json; empty where it has nothing to say. */
export async function sayingsOf(compiler: Compiler, tsconfig: string): Promise<string> {
  return compiler === 'typescript' ? byCommand(tsconfig) : inProcess(compiler, tsconfig)
}

/** The newest is a native program. On a busy machine its other threads cost more than they give. */
function byCommand(tsconfig: string): Promise<string> {
  const script = join(root, 'node_modules/typescript/bin/tsc')
  const options = { cwd: dirname(tsconfig), maxBuffer: 2 ** 26 }
  return new Promise((resolve) => {
    const argv = [script, '--singleThreaded', '--pretty', 'false', '-p', tsconfig]
    execFile(process.execPath, argv, options, (_, stdout, stderr) => resolve(stdout + stderr))
  })
}

/**
 * The older ones are JavaScript: a process for each project would spend most of its time on getting warm, and on reading
 * the same declarations of the language, of Node and of Kysely again.
 */
function inProcess(compiler: Compiler, tsconfig: string): string {
  const typescript: typeof ts = createRequire(import.meta.url)(compiler)
  const folder = dirname(tsconfig)
  const fail = (error: ts.Diagnostic) => {
    throw new Error(typescript.flattenDiagnosticMessageText(error.messageText, '\n'))
  }
  const system = { ...typescript.sys, onUnRecoverableConfigFileDiagnostic: fail, getCurrentDirectory: () => folder }
  const parsed = typescript.getParsedCommandLineOfConfigFile(tsconfig, {}, system)
  if (parsed === undefined) throw new Error(`${tsconfig} is no project`)
  const { options, fileNames, errors } = parsed
  const host = { ...typescript.createCompilerHost(options), getCurrentDirectory: () => folder }
  const program = typescript.createProgram({
    options,
    rootNames: fileNames,
    host: { ...host, getSourceFile: readOnce(compiler, options, host) },
  })
  const said = [...errors, ...typescript.getPreEmitDiagnostics(program)]
  return typescript.formatDiagnostics(typescript.sortAndDeduplicateDiagnostics(said), {
    getCurrentDirectory: () => folder,
    getCanonicalFileName: (name) => name,
    getNewLine: () => '\n',
  })
}

/** What the compiler of the last program has read: of another's nothing is kept, as it is much. */
const read = { by: '' as string, files: new Map<string, ts.SourceFile | undefined>() }

/** Files of packages do not change: a later program by the same settings takes what an earlier one has read. */
function readOnce(
  compiler: Compiler,
  options: ts.CompilerOptions,
  host: ts.CompilerHost,
): ts.CompilerHost['getSourceFile'] {
  if (read.by !== compiler) Object.assign(read, { by: compiler, files: new Map() })
  const { files } = read
  const { target, module, moduleResolution, strict } = options
  return (name, version, ...others) => {
    if (!name.includes('/node_modules/')) return host.getSourceFile(name, version, ...others)
    const key = JSON.stringify([target, module, moduleResolution, strict, version, name])
    if (!files.has(key)) files.set(key, host.getSourceFile(name, version, ...others))
    return files.get(key)
  }
}
