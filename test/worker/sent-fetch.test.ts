import { expect, test } from 'vitest'
import { onItsWay, type SentFetch } from '../../src/worker/claim/sent-fetch.js'

// Handlers wait until the next fetch is on its way, but for no more than a moment. It needs no database.

const fetch = (departed: Promise<void>) => ({ departed }) as SentFetch // what it looks at

test('jobs wait for the next fetch, but not for one that gets no connection', async () => {
  const departed = Promise.withResolvers<void>()
  const waited: string[] = []
  const never = onItsWay(fetch(new Promise(() => {})), 100).then(() => waited.push('for none'))
  const soon = onItsWay(fetch(departed.promise), 100).then(() => waited.push('for one on its way'))
  departed.resolve()
  await Promise.all([soon, never])
  expect(waited).toEqual(['for one on its way', 'for none'])
})
