import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Every file below a folder. Links to files count, links to folders do not (they may lead in a circle). What can't be
 * looked at counts too, dangling links and closed folders: reading it fails, and the demo shows why.
 */
export async function* filesIn(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined)
  if (entries === undefined) yield folder
  for (const entry of entries ?? []) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesIn(path)
    else if (entry.isFile() || (entry.isSymbolicLink() && (await isNoFolder(path)))) yield path
  }
}

async function isNoFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return true // it leads nowhere
  }
}
