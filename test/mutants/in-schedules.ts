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
    text: 'if (ids.length === 0) return new Set()',
    replacement: 'if (ids.length >= 0) return new Set()',
    test: firing,
    title: 'skipIfUnfinished passes slots over while the last job is unfinished',
  },
  {
    name: 'a schedule that fails is tried at once',
    breaks: 'one schedule that fails keeps all others from being fired',
    file: 'src/runner/failed-schedules.ts',
    text: 'until: performance.now() + pause',
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
    text: 'isKept ? present.nextSlot : ',
    replacement: '',
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
    title: 'a schedule that code declared and does not any more is fired no more',
  },
  {
    name: 'one schedule that Postgres refuses ends the look',
    breaks: 'nothing is fired any more, as one schedule has a column too many',
    file: 'src/runner/failed-schedules.ts',
    text: '/^(?:08|25006|40|53|57P)/',
    replacement: '/^(?:08|25006|40|42|53|57P)/',
    test: firing,
    title: 'a schedule whose statement Postgres refuses holds up neither others',
  },
  {
    name: 'a schedule that no code declares is fired',
    breaks: 'what was deleted from the code goes on',
    file: fire,
    text: 'job_values is not null and undeclared_at is null or',
    replacement: 'job_values is not null or',
    test: declaring,
    title: 'a schedule that code declared and does not any more is fired no more',
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
  {
    name: 'a schedule that no code declares any more, told as one that code declares',
    breaks: 'who is told to change the schedule in the code looks for it there in vain',
    file: 'src/schedule/by-hand.ts',
    text: 'if (undeclaredAt === undefined)',
    replacement: 'if (undeclaredAt !== name)',
    test: 'test/schedule/declaring.test.ts',
    title: 'a schedule that code declared once is not replaced by hand either',
  },
]
