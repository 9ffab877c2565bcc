import type { Logger } from '../base/logger.ts';
import type { StreamScrubbing } from '../base/scrubbing.ts';
import type { ResolvedGateway } from '../config/gateway-schema.ts';
import type { ServedSystem } from '../runtime.ts';
import type { Anywhere } from './anywhere.ts';
import type { AskedStreams } from './asked-streams.ts';
import type { Idempotency } from './idempotency.ts';
import type { RequestServer } from './request-server.ts';
import type { GatewayContext } from './routes.ts';
import type { Streams } from './streams.ts';
import type { TokenAccess } from './token-access.ts';

/** The parts of the HTTP face. */
export interface AppOptions extends GatewayContext {
  /** Read at each request, so that it can change while the gateway runs. */
  readonly access: () => TokenAccess;
  readonly anywhere: Anywhere;
  readonly gateway: () => Pick<ResolvedGateway, 'maxBodyBytes' | 'limits' | 'cors'>;
  readonly idempotency: Idempotency;
  readonly streams: Streams;
  readonly asked: AskedStreams;
  /** The server of the requests, where it can leave to another process. */
  readonly requests?: () => Pick<RequestServer, 'begin' | 'putOff' | 'passOn'> | undefined;
  readonly scrubber: StreamScrubbing;
  readonly logger: Logger;
  /** Whether nothing is to be handled yet. */
  readonly isPaused?: () => boolean;
  /** Aborted when another process is to take over. */
  readonly leaving?: AbortSignal;
  /** What the agents accept and reply. */
  readonly system: Pick<
    ServedSystem,
    'agents' | 'schemas' | 'resumeStore' | 'overview' | 'figures' | 'nodeFigures'
  >;
}
