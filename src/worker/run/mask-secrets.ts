const mask = '***'

/** Names of what is kept from others, as query parameters and settings end in them. */
const secretName = /(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key)$/i

/** A setting of such a name, and its value: after a quote up to the next, else up to a space; either may be escaped. */
const secretSetting =
  /((?:password|passwd|passphrase|pwd|secret|token|api[-_]?key)\\*["'`]?\s{0,9})([=:]\s{0,9}\\*(?:'(?:\\.|''|[^'\\])*|"(?:\\.|""|[^"\\])*|`(?:\\.|[^`\\])*)|=\s{0,9}\\*(?!["'`\s]|\*{3})(?:\\.|\S)*)/gis
const signAndQuote = /^[=:]\s*\\*["'`]?/

/** What a URL in a text may be followed by: a space, a quote, a bracket of its own, or another URL of a list. */
const urlEnd = /[\s"`<>]|[,;|=&?()[\]{}'][a-z][a-z0-9+.-]{0,30}:\/\//gi
/** What a password does not go beyond: the line, or the next URL. */
const lineEnd = /[\r\n]|:\/\//g
const queryOfPairs = /^[\w.%-]+=/
const hostAndPort = /^(?:\[[\da-f:.%]*\]|[^:@[\]]*)(?::\d{0,5}\W*)?$/i

/**
 * Masks the passwords in a text: those of URLs, of their query parameters, and of settings such as `password=...` or
 * `password: '...'`. A password that is not encoded as it should be, with `/`, `#`, `?`, `@` or spaces in it, is masked as
 * well; in doubt more is masked than needed. The time that it takes grows with the text's length and no faster.
 */
export function withoutSecrets(text: string): string {
  return maskUrls(text).replace(
    secretSetting,
    (_, name: string, value: string) => name + signAndQuote.exec(value) + mask,
  )
}

function maskUrls(text: string): string {
  let masked = ''
  let done = 0
  for (let at = text.indexOf('://'); at !== -1; at = text.indexOf('://', done)) {
    const start = at + '://'.length
    const end = endOfUrl(text, start)
    const isWeb = /(?:http|ws)s?$/i.test(text.slice(Math.max(done, at - 5), at))
    masked += text.slice(done, start) + maskUrl(text.slice(start, end), isWeb)
    done = end
  }
  return masked + text.slice(done)
}

/** Where it is followed by something else; past that, where a password that was begun has spaces or quotes in it. */
function endOfUrl(text: string, start: number): number {
  const end = indexOf(urlEnd, text, start)
  const url = text.slice(start, end)
  if (url.includes('@') || hasNoPassword(url)) return end
  const at = text.slice(end, indexOf(lineEnd, text, end)).indexOf('@')
  return at === -1 ? end : indexOf(urlEnd, text, end + at)
}

/** Where a pattern is found from a place on; the text's end where it is not. */
function indexOf(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start
  return pattern.exec(text)?.index ?? text.length
}

/** What follows `://` begins with a path, or with hosts and ports, and not with a user and a password. */
function hasNoPassword(url: string): boolean {
  const hosts = authorityOf(url)
    .replace(/^[^:@]*@/, '')
    .split(',')
  return url.startsWith('/') || hosts.every((host) => hostAndPort.test(host))
}

function authorityOf(url: string): string {
  return url.slice(0, /[/?#]/.exec(url)?.index)
}

/** @param url from behind its `://` */
function maskUrl(url: string, isWeb: boolean): string {
  const end = endOfPassword(url, isWeb)
  const colon = url.indexOf(':')
  if (end === undefined || colon === -1 || colon > end) return maskQuery(url)
  return `${url.slice(0, colon)}:${mask}${maskQuery(url.slice(end))}`
}

/**
 * The place of the `@` behind the password, or the text's end where it was cut off. It is the last one: those before
 * belong to a password that is not encoded. But that of a web address stands before its path.
 */
function endOfPassword(url: string, isWeb: boolean): number | undefined {
  if (url.startsWith('/')) return undefined
  const authority = authorityOf(url)
  if (isWeb && authority.includes('@')) return authority.lastIndexOf('@')
  const at = url.lastIndexOf('@')
  if (!hasNoPassword(url)) return at === -1 ? url.length : at
  const [path = '', ...query] = url.slice(authority.length).split('?')
  const isPath = queryOfPairs.test(query.join('?')) ? path.includes('@') : url.includes('@', authority.length)
  return isWeb || !isPath ? undefined : at
}

function maskQuery(query: string): string {
  const masked = query.split('&').map((part) => {
    const equals = Math.max(0, part.indexOf('='))
    const [name = ''] = new URLSearchParams(part.slice(0, equals).split(/[?#]/).at(-1)).keys() // decoded
    return secretName.test(name) ? `${part.slice(0, equals)}=${mask}` : part
  })
  return masked.join('&')
}
