import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** The pages a user reads, by their path from the top. */
export const pages = ['README.md', ...globSync('docs/*.md', { cwd: root }).sort()]

/** A fenced block: ```language name */
export interface Block {
  readonly page: string
  readonly language: string
  /** A program's file, or what the block shows; empty for a fragment. */
  readonly name: string
  readonly text: string
}

export function read(page: string): string {
  return readFileSync(join(root, page), 'utf8')
}

export const blocks: readonly Block[] = pages.flatMap((page) =>
  [...read(page).matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)].map(
    ([, language = '', name = '', text = '']): Block => ({ page, language, name, text }),
  ),
)

/** The blocks of a language. */
export function blocksIn(language: string, page?: string): readonly Block[] {
  return blocks.filter((block) => block.language === language && (page === undefined || block.page === page))
}
