import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import { nodeHandler } from 'kysely-jobs/dashboard'
import { jobs } from './jobs.ts'

class AppModule {} // yours

const app = await NestFactory.create({ module: AppModule }, { logger: ['error'] })
app.use('/jobs', nodeHandler(jobs))

const port = Number(process.env.PORT ?? 3000)
await app.listen(port)
console.log(`http://localhost:${port}/jobs`)
