#!/usr/bin/env node
import { runCommand } from './command.js'

// The driver's advice on the URL's sslmode is for those who write programs: stderr is ours.
process.removeAllListeners('warning')

process.exitCode = await runCommand(process.argv.slice(2), process)
