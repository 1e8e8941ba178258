import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { jobs } from './jobs.ts'

const app = new Hono()
app.get('/', (c) => c.text('The app'))
app.all('/jobs/*', (c) => jobs(c.req.raw))

serve({ fetch: app.fetch, port: Number(process.env.PORT) }, ({ port }) => console.log(`http://localhost:${port}/jobs`))
