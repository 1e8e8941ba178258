/** So many values of a tree are shown, and so many characters of a text in it. */
const mostValues = 1_000
const longestText = 10_000

/** Nothing deeper is shown: each level is a call within a call. */
const deepest = 100

/** JSON as a tree, its first levels open. What is no JSON, or was cut, is shown as it is. */
export function JsonTree({ text, isCut }: { readonly text: string; readonly isCut: boolean }) {
  const value = isCut ? undefined : parsed(text)
  if (value === undefined)
    return (
      <pre>
        {text.slice(0, longestText)}
        {(isCut || text.length > longestText) && '…'}
      </pre>
    )
  const room = { left: mostValues }
  return <div class="tree">{node(value, 0, room)}</div>
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** How many more values there is room for. */
interface Room {
  left: number
}

function node(value: unknown, depth: number, room: Room) {
  room.left -= 1
  if (typeof value === 'string') return <span class="tree-text">{JSON.stringify(value.slice(0, longestText))}</span>
  if (typeof value !== 'object' || value === null) return <span class="tree-plain">{String(value)}</span>
  const entries = Object.entries(value)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  if (entries.length === 0 || open === undefined) return <span class="quiet">{`${open}${close}`}</span>
  if (depth === deepest) return <span class="quiet">{`${open} deeper than can be shown ${close}`}</span>
  const shown = entries.slice(0, Math.max(0, room.left))
  return (
    <details open={depth < 2}>
      <summary>
        {open} <span class="quiet small">{entries.length}</span> {close}
      </summary>
      <ul>
        {shown.map(([key, each]) => (
          <li>
            <span class="tree-key">{key}</span> {room.left > 0 ? node(each, depth + 1, room) : '…'}
          </li>
        ))}
        {shown.length < entries.length && <li class="quiet">{entries.length - shown.length} more</li>}
      </ul>
    </details>
  )
}
