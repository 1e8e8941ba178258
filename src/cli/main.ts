#!/usr/bin/env node
import { runCommand } from './command.js'

// Whoever reads us may have seen enough (`| head`): no reason for a stack trace.
process.stdout.on('error', () => process.exit())

// The driver's advice on the URL's sslmode is for those who write programs: stderr is ours.
process.removeAllListeners('warning')

process.exitCode = await runCommand(process.argv.slice(2), process)
