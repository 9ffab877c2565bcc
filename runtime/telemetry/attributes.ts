import type { ResolvedAgent } from '../config/resolve.ts';

/** What telemetry knows of an agent: who it is, where it runs, and which secrets it may use. */
export type ObservedAgent = Pick<ResolvedAgent, 'name' | 'threadId' | 'grants'>;

/** Name of the tracer and the meter. */
export const SCOPE = 'holdfast';

export const AGENT = 'holdfast.agent';
export const ADDRESS = 'holdfast.address';
/** The `threadId` of a pool. */
export const POOL = 'holdfast.pool';
/** Node's id of a worker thread, as `ref.thread`. */
export const THREAD = 'holdfast.thread';
export const REASON = 'reason';
export const ERROR_TYPE = 'error.type';

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
