import { join } from 'node:path'
import ts from 'typescript-5.9'
import { expect, test } from 'vitest'

// What an editor shows a user: asked of TypeScript's language service, on a program like theirs, against dist/.

const root = new URL('../..', import.meta.url).pathname
const path = join(root, 'test/types/program-in-an-editor.ts')
const program = `
import type { Kysely } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import type { Nine } from './database.js'
interface MailJobs extends Nine {
  /** Who gets the mail. */
  address: string
  subject: string | null
}
declare const db: Kysely<{ mail_jobs: MailJobs }>
createWorker(db, 'mail_jobs', (job) => console.log(job./*read*/address))
enqueue(db, 'mail_jobs', { /*one*/ })
enqueue(db, 'mail_jobs', [{ /*many*/ }])
enqueue(db, 'mail_jobs', { /*write*/address: 'ada' })
enqueue(db, 'mail_jobs', [{ /*write many*/address: 'ada' }])
`
const service = ts.createLanguageService(host())
service.getProgram() // reads all files, which takes longest: here, where no test's time runs
const after = (mark: string) => program.indexOf(`/*${mark}*/`) + mark.length + 4

test.each(['one', 'many'])(
  'where a job is written (%s), the editor offers its columns and nothing of arrays',
  (mark) => {
    const offered = service.getCompletionsAtPosition(path, after(mark), {})?.entries.map(({ name }) => name) ?? []
    expect(offered).toEqual(expect.arrayContaining(['address', 'subject', 'run_at', 'id']))
    for (const name of ['length', 'map', 'push']) expect(offered).not.toContain(name)
  },
)

test.each(['read', 'write', 'write many'])(
  'a column (%s) leads to its line in the user’s interface, comment and all',
  (mark) => {
    const [definition] = service.getDefinitionAtPosition(path, after(mark)) ?? []
    expect(definition).toMatchObject({ fileName: path, textSpan: { start: program.indexOf('address: string') } })
    const { documentation } = service.getQuickInfoAtPosition(path, after(mark)) ?? {}
    expect(ts.displayPartsToString(documentation)).toBe('Who gets the mail.')
  },
)

test('renaming a column of the interface renames it where jobs are read and written', () => {
  const start = program.indexOf('address: string')
  const places = service.findRenameLocations(path, start, false, false, {}) ?? []
  expect(places.map(({ textSpan }) => textSpan.start).sort((a, b) => a - b)).toEqual([
    start,
    ...['read', 'write', 'write many'].map(after),
  ])
})

function host(): ts.LanguageServiceHost {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    strict: true,
    types: [],
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts'],
  }
  const { sys } = ts
  return {
    getCompilationSettings: () => options,
    getScriptFileNames: () => [path],
    getScriptVersion: () => '1',
    getScriptSnapshot: (file) => {
      const text = file === path ? program : sys.readFile(file)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: (given) => ts.getDefaultLibFilePath(given),
    fileExists: (file) => file === path || sys.fileExists(file),
    readFile: (file) => (file === path ? program : sys.readFile(file)),
    readDirectory: sys.readDirectory,
    directoryExists: sys.directoryExists,
    getDirectories: sys.getDirectories,
    ...(sys.realpath && { realpath: sys.realpath }),
  }
}
