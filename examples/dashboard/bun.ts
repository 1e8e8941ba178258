// PORT=3000 bun examples/dashboard/bun.ts
import { jobs } from './jobs.ts'

export default {
  idleTimeout: 60, // seconds: pages that are followed say nothing for fifteen
  fetch: (request: Request) =>
    /^\/jobs(?=\/|$)/.test(new URL(request.url).pathname) ? jobs(request) : new Response('The app'),
}
