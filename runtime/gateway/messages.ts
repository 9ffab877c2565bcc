import type { PersistedEnvelope } from '../runtime.ts';
import type { ResolvedGateway } from '../config/gateway-schema.ts';
import type { LoadedConfig, ResolvedPool } from '../config/resolve.ts';
import type { HandedActivations } from './activations.ts';
import type { HandedAskedStream } from './asked-stream.ts';
import type { HandedEvents } from './followed-instance.ts';
import type { CarriedRequest } from './idempotency.ts';
import type { HandedAnswer } from './kept-answers.ts';
import type { HandedAsk } from './put-off-asks.ts';
import type { HandedStreamToken } from './stream-tokens.ts';
import type { TlsFiles } from './tls-files.ts';

/** An instance that goes from one process to the next. */
export interface HandedInstance {
  readonly agent: string;
  readonly id: string;
  /** Absent when the instance had no snapshot to give: it begins anew, or has its state in the store. */
  readonly snapshot?: PersistedEnvelope;
  /** Whether its state is in the store. */
  readonly isKept?: boolean;
  /** Asks that the instance has put off, and answers in the next process. */
  readonly asks?: readonly HandedAsk[];
}

/** The state with which the next process goes on. It goes over a pipe, never to the disk. */
export interface HandedState {
  readonly instances: readonly HandedInstance[];
  readonly answers: readonly HandedAnswer[];
  /** Requests with a key that wait for a put-off ask. */
  readonly carried?: readonly CarriedRequest[];
  readonly activations?: HandedActivations;
  readonly streamTokens?: readonly HandedStreamToken[];
  /** What instances have emitted lately, for clients of their streams. */
  readonly events?: readonly HandedEvents[];
  /** What agents have written to clients, who come for the rest of it. */
  readonly asked?: readonly HandedAskedStream[];
  /** Addresses whose state could not be had, each with the reason. */
  readonly lost: readonly { readonly address: string; readonly why: string }[];
}

/** The requests that the front takes from clients. */
export type ControlAction = 'status' | 'restart' | 'forced-restart' | 'reload' | 'resume' | 'stop';

/** The result of such a request, as the client is told. */
export interface ControlAnswer {
  readonly status: number;
  readonly body: object;
  /** Seconds after which to try again, when it failed and may succeed later. */
  readonly retryAfter?: number | undefined;
}

/** Has a process load everything that it needs. */
export interface Prepare {
  readonly type: 'prepare';
  readonly file: string;
  readonly socket: string;
  readonly ownerDigest: string;
  /**
   * Whether the gateway starts with this process: then no other process has what only one can have at a time, and
   * missing parts are reported.
   */
  readonly isFirst: boolean;
  /** Whether it handles nothing until it is told to. */
  readonly isPaused: boolean;
  /** The config in effect, for a process that replaces one that crashed. Default: the config on disk. */
  readonly inEffect?: InEffect;
}

/** A config, and its certificate, as they were when they were last valid. */
export interface InEffect {
  readonly config: LoadedConfig;
  readonly tls: TlsFiles | undefined;
}

/** From the front to a service process. A socket that comes with `connection` is that of a client. */
export type ToService =
  | Prepare
  | { readonly type: 'serve'; readonly state: HandedState }
  | { readonly type: 'connection'; readonly n: number }
  /** So many connections were given before this message: those that have not come by now are lost. */
  | { readonly type: 'given'; readonly upTo: number }
  | { readonly type: 'reload'; readonly gateway: ResolvedGateway; readonly tls?: TlsFiles }
  | { readonly type: 'roll'; readonly pools: readonly ResolvedPool[] }
  /** Restore what the store keeps with the code at hand, for that many milliseconds at most. */
  | { readonly type: 'check'; readonly ms: number }
  /**
   * Let the work of durable instances end that is under way, for `workMs` at most, and then the answers that agents write,
   * for `ms` at most.
   */
  | { readonly type: 'finish'; readonly workMs: number; readonly ms: number }
  | { readonly type: 'hand-over' }
  | { readonly type: 'resume' }
  | { readonly type: 'succeeded'; readonly socket: string; readonly gateway: ResolvedGateway }
  | ({ readonly type: 'controlled'; readonly n: number } & ControlAnswer)
  | { readonly type: 'stop' };

/** Instances of a service process have come or gone since its last report; at most a thousand of them are named. */
export interface InstancesChanged {
  readonly type: 'instances';
  readonly begun: readonly string[];
  readonly ended: readonly string[];
  /** The number of all its instances. */
  readonly count: number;
  /** The number of those that outlive the process: they are not named. */
  readonly lasting: number;
}

/** From a service process to the front. */
export type FromService =
  | { readonly type: 'prepared'; readonly version: string; readonly certificate?: string }
  | { readonly type: 'checked' | 'reloaded' | 'resumed' | 'rolled' | 'finished' | 'passing-on' }
  | { readonly type: 'serving'; readonly lost: HandedState['lost'] }
  | { readonly type: 'state'; readonly state: HandedState }
  /** Connections that have come; with `upTo`, those up to that number that were not named by now never will come. */
  | { readonly type: 'taken'; readonly connections: readonly number[]; readonly upTo?: number }
  | InstancesChanged
  | { readonly type: 'control'; readonly n: number; readonly action: ControlAction }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };
