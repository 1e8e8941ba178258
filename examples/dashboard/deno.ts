// deno serve --allow-env --allow-net --allow-sys --port 3000 examples/dashboard/deno.ts
import { jobs } from './jobs.ts'

export default {
  fetch: (request: Request) =>
    /^\/jobs(?=\/|$)/.test(new URL(request.url).pathname) ? jobs(request) : new Response('The app'),
}
