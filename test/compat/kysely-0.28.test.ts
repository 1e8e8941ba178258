import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { startProgram } from '../support/program.js'

const { url } = await testDatabase()

test('a program with kysely 0.28 puts jobs through every verb', async () => {
  const program = startProgram([fileURLToPath(new URL('./kysely-0.28-program.ts', import.meta.url)), url])
  expect(await program.ended).toEqual({ code: 0, stdout: 'kysely 0.28: every verb\n', stderr: '' })
})
