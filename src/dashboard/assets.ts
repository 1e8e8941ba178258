import script from 'dashboard:script'
import style from 'dashboard:style'
import { createHash } from 'node:crypto'

interface Asset {
  readonly text: string
  readonly type: string
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12)

/** The names of what pages load: others for other texts, so that browsers keep them for ever. */
export const assetNames = { style: `style-${hash(style)}.css`, script: `script-${hash(script)}.js` } as const

const assets: ReadonlyMap<string, Asset> = new Map([
  [assetNames.style, { text: style, type: 'text/css; charset=utf-8' }],
  [assetNames.script, { text: script, type: 'text/javascript; charset=utf-8' }],
])

export function assetResponse(name: string): Response | undefined {
  const asset = assets.get(name)
  if (asset === undefined) return undefined
  const headers = { 'content-type': asset.type, 'cache-control': 'public, max-age=31536000, immutable' }
  return new Response(asset.text, { headers })
}
