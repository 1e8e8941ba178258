import fastify from 'fastify'
import { nodeHandler } from 'kysely-jobs/dashboard'
import { jobs } from './jobs.ts'

const app = fastify()
const jobsHandler = nodeHandler(jobs)
app.get('/', async () => 'The app')
app.register(async (scope) => {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, _body, done) => done(null)) // the dashboard reads its forms itself
  for (const path of ['/jobs', '/jobs/*'])
    scope.all(path, (request, reply) => {
      reply.hijack()
      jobsHandler(request.raw, reply.raw)
    })
})

const port = Number(process.env.PORT ?? 3000)
await app.listen({ port })
console.log(`http://localhost:${port}/jobs`)
