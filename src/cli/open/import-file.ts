import { pathToFileURL } from 'node:url'
import { codeOf } from '../../pg/error-class.js'

/** A file of the user's that can't be loaded; the message has the reason, and where it is. */
export class ImportError extends Error {
  override readonly name = 'ImportError'
  readonly code = 'CONFIG'
}

/**
 * Loads a module of the user's.
 * @param shown what it is called
 * @throws ImportError
 */
export async function importFile(path: string, shown: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(pathToFileURL(path).href)
  } catch (error) {
    const remedy =
      codeOf(error) === 'ERR_UNKNOWN_FILE_EXTENSION'
        ? '. Node reads TypeScript from 22.18 on: use that, or a loader (NODE_OPTIONS=--import=tsx), or write it as .mjs'
        : ''
    const message = error instanceof Error ? error.message : String(error)
    throw new ImportError(`${shown} can't be loaded: ${message}${placeIn(error)}${remedy}`, { cause: error })
  }
}

/** Where it was thrown, as far as that is a file of the user's. */
function placeIn(error: unknown): string {
  const lines = (error instanceof Error && error.stack ? error.stack : '').split('\n')
  const [, place] = lines.flatMap((line) => /(file:\/\/[^\s()]+:\d+)(?::\d+)?/.exec(line) ?? []) ?? []
  return place === undefined || place.includes('/node_modules/') ? '' : ` (${place.replace('file://', '')})`
}
