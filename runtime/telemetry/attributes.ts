import type { ResolvedAgent } from '../config/resolve.ts';

/** What telemetry knows of an agent: who it is, where it runs, and which secrets it may use. */
export type ObservedAgent = Pick<ResolvedAgent, 'name' | 'threadId' | 'grants'>;

/** Name of the tracer and the meter. */
export const SCOPE = 'holdfast';

export const AGENT = 'holdfast.agent';
export const ADDRESS = 'holdfast.address';
/** The `threadId` of a pool. */
export const POOL = 'holdfast.pool';
/** Address of the agent that sent an event. */
export const SENDER = 'holdfast.sender';
/** The conventions' words for a message: the system, what is done, and for whom it is, the agent and not the instance. */
export const SYSTEM = 'messaging.system';
export const OPERATION = 'messaging.operation.name';
export const OPERATION_TYPE = 'messaging.operation.type';
export const DESTINATION = 'messaging.destination.name';
/** Node's id of a worker thread, as `ref.thread`. */
export const THREAD = 'holdfast.thread';
/** Name of a worker thread, `holdfast:<threadId>:<n>`. */
export const THREAD_NAME = 'thread.name';
/** Alias of a secret provider. */
export const PROVIDER = 'holdfast.secret.provider';
export const STATE = 'state';
export const RESULT = 'result';
export const REASON = 'reason';
export const ERROR_TYPE = 'error.type';
/** Name of a capability. */
export const CAPABILITY = 'holdfast.capability';
/** The conventions' words for a request. */
export const HTTP_METHOD = 'http.request.method';
export const HTTP_STATUS = 'http.response.status_code';
export const URL_SCHEME = 'url.scheme';
export const SERVER = 'server.address';
export const SERVER_PORT = 'server.port';

/** The convention's word for a value that is none of the known ones. */
export const OTHER = '_OTHER';

/** A name or code, and short: free text of an error never becomes an attribute. */
const IDENTIFIER = /^[A-Za-z_$][\w$.]{0,63}$/;

/** Finds the declared agent of an address. */
export type AgentAt = (address: string) => ObservedAgent | undefined;

/** A sender that makes up addresses must not make up series. */
export function agentNameAt(address: string, agentAt: AgentAt): string {
  return agentAt(address)?.name ?? OTHER;
}

/** The code of a `HoldfastError`, the name of any other error. */
export function errorType(error: unknown): string {
  if (typeof error !== 'object' || error === null) return OTHER;
  const { name, code } = error as { name?: unknown; code?: unknown };
  const type = name === 'HoldfastError' ? code : name;
  return typeof type === 'string' && IDENTIFIER.test(type) ? type : OTHER;
}
