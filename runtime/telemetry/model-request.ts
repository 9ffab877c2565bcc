import { OTHER, type AgentAt } from './attributes.ts';
import { modelOperation, type ModelOperation } from './gen-ai.ts';
import type { SecretRequest } from './secret-span.ts';

/** A request to a model, as far as telemetry tells of it. */
export interface ModelRequest extends ModelOperation {
  readonly model: string;
  readonly host: string;
  readonly port: number;
  /** Whether the grant lets spans have what is asked and answered. */
  readonly captures: boolean;
}

/** The bytes of a body in which its model is looked for: client libraries write that first, or last. */
const LOOKED_AT = 8192;
const MODEL = /"model"\s*:\s*"([\w.:/@-]{1,128})"/;

/**
 * The request, if it is one to a model and a grant of the agent has its host. All of it comes from a thread: a model that
 * is not named as models are is `_OTHER`.
 */
export function modelRequest(
  { caller, use, input }: Pick<SecretRequest, 'caller' | 'use' | 'input'>,
  agentAt: AgentAt,
): ModelRequest | undefined {
  if (use !== 'stream' && use !== 'fetch') return undefined;
  const { label, url: asked, method, body } = (input ?? {}) as Readonly<Record<string, unknown>>;
  const url = typeof asked === 'string' ? URL.parse(asked) : null;
  if (url === null || method !== 'POST') return undefined;
  const operation = modelOperation(url);
  if (operation === undefined) return undefined;
  const grants = agentAt(caller.address)?.grants ?? [];
  const granted = grants.filter(({ inject }) => inject?.origins.includes(url.origin) === true);
  if (granted.length === 0) return undefined;
  const captures = granted.some((grant) => grant.label === label && grant.inject?.capture === true);
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  return { ...operation, model: modelIn(body) ?? OTHER, host: url.hostname, port, captures };
}

function modelIn(body: unknown): string | undefined {
  if (typeof body === 'string')
    return MODEL.exec(body.slice(0, LOOKED_AT))?.[1] ?? MODEL.exec(body.slice(-LOOKED_AT))?.[1];
  if (!(body instanceof Uint8Array)) return undefined;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return (
    MODEL.exec(bytes.toString('latin1', 0, LOOKED_AT))?.[1] ??
    MODEL.exec(bytes.toString('latin1', Math.max(0, bytes.length - LOOKED_AT)))?.[1]
  );
}
