import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** The text of a file, with the line ends that we write; undefined where there is none. */
export function readOutput(path: string): string | undefined {
  return reporting('read', path, () => {
    try {
      return readFileSync(path, 'utf8').replaceAll('\r\n', '\n') // as git may have checked it out
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  })
}

/**
 * Writes a file whole or not at all, and only where its text changes, so that no watcher wakes for nothing.
 * @returns whether it changed
 */
export function writeOutput(path: string, text: string): boolean {
  if (readOutput(path) === text) return false
  return reporting('write', path, () => {
    mkdirSync(dirname(path), { recursive: true })
    const target = linkedFile(path)
    const beside = `${target}.${randomUUID()}.tmp`
    try {
      writeFileSync(beside, text)
      renameSync(beside, target)
    } finally {
      rmSync(beside, { force: true })
    }
    return true
  })
}

/** The file that a link stands for: renaming onto the link would replace the link. */
function linkedFile(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function reporting<T>(verb: string, path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw new Error(`Can't ${verb} ${path} (${codeOf(error)})`, { cause: error })
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}
