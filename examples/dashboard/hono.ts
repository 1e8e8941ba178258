import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { jobs } from './jobs.ts'

const app = new Hono()
app.get('/', (c) => c.text('The app'))
app.all('/jobs/*', (c) => jobs(c.req.raw))

const port = Number(process.env.PORT ?? 3000)
serve({ fetch: app.fetch, port }, () => console.log(`http://localhost:${port}/jobs`))
