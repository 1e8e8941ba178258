import type { Happening } from '../../observe/timeline.js'
import { When } from './when.js'

const words: Readonly<Record<Happening['kind'], string>> = {
  created: 'Enqueued',
  due: 'Due',
  started: 'Handler began',
  locked: 'Lease taken or renewed',
  failed: 'Failed',
  ended: 'Ended',
}

/** What has become of a job, the earliest first. */
export function Timeline({ of, now }: { readonly of: readonly Happening[]; readonly now: Date }) {
  return (
    <ol class="timeline">
      {of.map(({ kind, at, attempt, error }) => (
        <li class={kind === 'failed' ? 'bad-mark' : undefined}>
          <div>
            {words[kind]}
            {attempt !== undefined && <span class="quiet"> attempt {attempt}</span>}
            <span class="quiet"> · </span>
            {at === 'infinity' ? 'never' : <When at={at} now={now} />}
          </div>
          {error !== undefined && <ErrorText text={error} />}
        </li>
      ))}
    </ol>
  )
}

/** Its first line, and the stack behind it. */
export function ErrorText({ text, isOver = false }: { readonly text: string; readonly isOver?: boolean }) {
  const tone = isOver ? 'quiet' : 'bad'
  const [first = '', ...stack] = text.split('\n')
  if (stack.length === 0) return <pre class={tone}>{first}</pre>
  return (
    <details>
      <summary class={tone}>{first}</summary>
      <pre>{stack.join('\n')}</pre>
    </details>
  )
}
