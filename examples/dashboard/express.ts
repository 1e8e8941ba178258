import express from 'express'
import { nodeHandler } from 'kysely-jobs/dashboard'
import { jobs } from './jobs.ts'

const app = express()
app.use('/jobs', nodeHandler(jobs)) // before parsers of bodies: those have limits of their own
app.use(express.json(), express.urlencoded())
app.get('/', (_, response) => response.send('The app'))

const port = Number(process.env.PORT ?? 3000)
app.listen(port, () => console.log(`http://localhost:${port}/jobs`))
