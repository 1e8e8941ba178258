import { graphile } from './graphile-worker.ts'
import { ours } from './kysely-jobs.ts'
import type { Peer, PeerName } from './peer.ts'
import { boss } from './pg-boss.ts'

export const peers: Record<PeerName, Peer> = { ours, graphile, boss }
