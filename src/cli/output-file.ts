import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf } from '../pg/error-class.js'

/** The text of a file, with the line ends that we write; undefined where there is none. */
export function readOutput(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').replaceAll('\r\n', '\n') // as git may have checked it out
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw unable('read', path, error)
  }
}

/**
 * Writes a file whole or not at all, and only where its text changes, so that no watcher wakes for nothing.
 * @returns whether it changed
 */
export function writeOutput(path: string, text: string): boolean {
  if (readOutput(path) === text) return false
  const target = existsSync(path) ? realpathSync(path) : path // renaming onto a link would replace the link
  const beside = `${target}.${randomUUID()}.tmp`
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(beside, text)
    renameSync(beside, target)
  } catch (error) {
    rmSync(beside, { force: true })
    throw unable('write', path, error)
  }
  return true
}

function unable(verb: string, path: string, error: unknown): Error {
  return new Error(`Can't ${verb} ${path} (${codeOf(error)})`, { cause: error })
}
