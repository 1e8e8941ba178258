import type { Mutant } from './mutant.ts'

const bulk = 'test/dashboard/bulk.test.ts'
const list = 'test/dashboard/list.test.ts'
const oneJob = 'test/dashboard/one-job.test.ts'
const steering = 'test/dashboard/steering.test.ts'

/** Faults in what the dashboard's forms ask, keep and say. */
export const inDashboardForms: readonly Mutant[] = [
  {
    name: 'a copy is made at one click',
    breaks: 'a mail goes out a second time by a slip',
    file: 'src/dashboard/actions/one-job.ts',
    text: "if (form.get('sure') !== 'yes') {",
    replacement: "if (form.get('sure') === 'no') {",
    test: oneJob,
    title: 'a copy is another job, and its page is shown',
  },
  {
    name: 'a schedule runs at one click',
    breaks: 'a report is sent twice by a slip',
    file: 'src/dashboard/actions/schedule.ts',
    text: "question !== undefined && form.get('sure') !== 'yes'",
    replacement: 'question !== undefined && form === undefined',
    test: bulk,
    title: 'a schedule is run at once, paused, resumed and removed',
  },
  {
    name: 'a form that was refused shows what the job has',
    breaks: 'what was typed is lost by one mistake',
    file: 'src/dashboard/pages/edit.tsx',
    text: ') ?? text} isFlawed',
    replacement: ') && text} isFlawed',
    test: oneJob,
    title: 'a form with a mistake stays filled in',
  },
  {
    name: 'a limit is always said to be heeded',
    breaks: 'somebody sets a limit in an emergency, and no worker knows of it',
    file: 'src/observe/heeded-limit.ts',
    text: 'return workers.length === 0 ||',
    replacement: 'return workers.length >= 0 ||',
    test: steering,
    title: 'a limit that no worker heeds is marked',
  },
  {
    name: 'a pause of a key marks every job',
    breaks: 'jobs that run as ever are taken for paused',
    file: 'src/dashboard/parts/paused.tsx',
    text: 'job.values.get(name)?.text === value',
    replacement: 'job.values.get(name)?.text !== undefined && value !== undefined',
    test: 'test/dashboard/warnings.test.ts',
    title: 'a key that is paused, which is marked in the list and on its jobs too',
  },
  {
    name: 'only the page that is shown is counted',
    breaks: 'somebody takes 50 jobs for all that match',
    file: 'src/dashboard/pages/jobs.tsx',
    text: 'if (next === undefined && previous === undefined) return',
    replacement: 'if (jobs.length > 0) return',
    test: list,
    title: 'how many match is told, also of more than a page',
  },
]
