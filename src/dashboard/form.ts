import { HTTPException } from 'hono/http-exception'

/** A page's form has no more than so many bytes. */
const longest = 4 * 1024 * 1024

/** What a form sends, also where its length is not told beforehand, as by HTTP/2. @throws HTTPException where it is too long */
export async function formIn({ headers, body }: Request): Promise<URLSearchParams> {
  let length = 0
  const parts: Uint8Array[] = []
  refuseLonger(Number(headers.get('content-length') ?? 0))
  for await (const part of body ?? []) {
    length += part.byteLength
    refuseLonger(length)
    parts.push(part)
  }
  return new URLSearchParams(Buffer.concat(parts).toString().replaceAll('%00', '')) // no text in Postgres has it
}

function refuseLonger(length: number): void {
  if (length > longest) throw new HTTPException(413, { message: 'Payload Too Large' })
}
