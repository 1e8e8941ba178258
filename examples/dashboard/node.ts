import { createServer } from 'node:http'
import { nodeHandler } from 'kysely-jobs/dashboard'
import { jobs } from './jobs.ts'

const jobsHandler = nodeHandler(jobs)
const server = createServer((request, response) => {
  if (/^\/jobs(?=[/?]|$)/.test(request.url ?? '')) jobsHandler(request, response)
  else response.end('The app')
})

const port = Number(process.env.PORT ?? 3000)
server.listen(port, () => console.log(`http://localhost:${port}/jobs`))
