import type { Mutant } from './mutant.ts'

const firing = 'test/schedule/firing.test.ts'
const declaring = 'test/schedule/declaring.test.ts'
const byHand = 'test/schedule/by-hand.test.ts'
const fire = 'src/schedule/fire.ts'

/** Faults in recurring jobs. */
export const inSchedules: readonly Mutant[] = [
  {
    name: 'a schedule that is fired without its lock',
    breaks: 'two runners fire one slot',
    file: fire,
    text: 'for update of s skip locked',
    replacement: '',
    test: 'test/schedule/processes.test.ts',
    title: 'ten processes fire each slot of a second once',
  },
  {
    name: 'the last job of a schedule counts as finished',
    breaks: 'jobs of a schedule pile up behind one that takes long',
    file: fire,
    text: 'return (await isThere.execute()).length > 0',
    replacement: 'return (await isThere.execute()).length > 1',
    test: firing,
    title: 'skipIfUnfinished passes slots over while the last job is unfinished',
  },
  {
    name: 'a schedule that fails is tried at once',
    breaks: 'one schedule that fails keeps all others from being fired',
    file: 'src/runner/scheduler.ts',
    text: 'until: performance.now() + failedInterval',
    replacement: 'until: performance.now()',
    test: firing,
    title: 'a schedule whose job is refused is told of',
  },
  {
    name: 'a runner fires the schedules of tables that it does not work',
    breaks: 'a slot is fired where nobody runs its jobs',
    file: fire,
    text: 'sql`job_schema = ',
    replacement: 'sql`true or job_schema = ',
    test: firing,
    title: 'schedules that are kept are fired by a runner that declares nothing',
  },
  {
    name: 'a slot of the last minute counts as missed',
    breaks: 'a restart loses slots',
    file: 'src/schedule/due-slots.ts',
    text: 'const grace = 60_000',
    replacement: 'const grace = 900',
    test: 'test/schedule/due-slots.test.ts',
    title: 'every slot of the last minute is fired',
  },
  {
    name: 'a deploy forgets when an interval was fired last',
    breaks: 'each deploy puts off what comes every hour',
    file: 'src/schedule/declare.ts',
    text: 'then s.next_slot',
    replacement: 'then excluded.next_slot',
    test: declaring,
    title: 'a later deploy changes what it declares, and keeps what it does not',
  },
  {
    name: 'what was added by hand is removed by a deploy',
    breaks: 'schedules of users are gone after a deploy',
    file: 'src/schedule/declare.ts',
    text: 'sql<boolean>`declared and ',
    replacement: 'sql<boolean>`',
    test: declaring,
    title: 'a schedule that code declared and does not any more is removed',
  },
  {
    name: 'a paused schedule is fired',
    breaks: 'what was paused goes on',
    file: fire,
    text: 'nextSlot === undefined || pausedAt !== undefined',
    replacement: 'nextSlot === undefined',
    test: byHand,
    title: 'one whose values code gives is triggered by way of a runner that has the code',
  },
]
