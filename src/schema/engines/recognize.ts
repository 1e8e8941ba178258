import type { CatalogServer } from '../server.js'
import type { Engine, EngineOptions } from './engine.js'
import { otherForks, type Profile, postgres, profiles } from './profiles.js'

/** A server that is none of those that we know, and no PostgreSQL. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code = 'UNKNOWN_ENGINE'
}

/**
 * What a server can do: by the profile of what it is, or of what the user names, and by what they say is otherwise.
 * @param found what its extensions make of it
 */
export function engineOf(server: CatalogServer, given: EngineOptions = {}, found: Partial<Engine> = {}): Engine {
  const profile = profiles.find(({ can }) => can.name === given.name) ?? recognize(server)
  const { can, sentence, switches = {} } = profile ?? { can: { ...postgres.can, name: calledName(server) } }
  const switched = Object.entries(switches).map(([name, setting]) => [name, server.settings[setting] === 'on'])
  const said = Object.entries(given).filter(([, value]) => value !== undefined)
  const version = profile === undefined ? server.version : (sentence?.exec(server.version)?.[1] ?? server.number)
  return { ...can, version, ...Object.fromEntries(switched), ...found, ...Object.fromEntries(said) }
}

/** Undefined: it is none of those that we know, or a fork of which we know nothing. */
function recognize({ version, marks }: CatalogServer): Profile | undefined {
  if (otherForks.test(version)) return undefined
  return profiles.find(({ sentence, mark }) => (mark === undefined ? sentence?.test(version) : marks.includes(mark)))
}

/** What it may be called, which is none of our names. */
function calledName({ version }: CatalogServer): string {
  const name = otherForks.exec(version)?.[0] ?? /[A-Za-z]\w*/.exec(version)?.[0] ?? unnamed
  return knownEngines.includes(name) ? unnamed : name
}

const unnamed = 'an unknown engine'

/** All that have a profile, and Citus, which is an extension of one of them. */
export const knownEngines: readonly string[] = [...profiles.map(({ can }) => can.name), 'Citus']

/** @throws EngineError where a server is none that we know, and nobody says what it can do */
export function refuseUnknown(engine: Engine, given: EngineOptions | undefined): void {
  if (given !== undefined || knownEngines.includes(engine.name)) return
  throw new EngineError(
    `The server calls itself '${engine.version}', which is none of ${knownEngines.join(', ')}. If it does what PostgreSQL does, name it, engine: { name: '${engine.name}' }, with what it lacks beside the name, as in { listen: false } (docs/engines.md says what is asked of an engine); or ask us for a profile of it`,
  )
}
