import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** What a file's job finds out. */
export interface Measurements {
  readonly sha256: string
  readonly size: number
  /** Line ends, as `wc -l` counts them. */
  readonly lines: number
}

const lineEnd = 10

/** Reads a file piece by piece, whatever its size; an abort ends the reading. */
export async function measure(path: string, signal: AbortSignal): Promise<Measurements> {
  const hash = createHash('sha256')
  let size = 0
  let lines = 0
  for await (const piece of createReadStream(path, { signal }) as AsyncIterable<Buffer>) {
    hash.update(piece)
    size += piece.length
    for (let at = piece.indexOf(lineEnd); at >= 0; at = piece.indexOf(lineEnd, at + 1)) lines += 1
  }
  return { sha256: hash.digest('hex'), size, lines }
}
