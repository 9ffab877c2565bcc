import { SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import { ADDRESS, AGENT, ERROR_TYPE, errorType, POOL, SCOPE, THREAD } from './attributes.ts';
import { quietly } from './quietly.ts';

/** What is known before the spawn. */
export interface SpawnFacts {
  readonly version: string;
  readonly agent: string;
  /** Absent for an agent that is not declared. */
  readonly pool?: string | undefined;
  /** Only when the caller chose the id. */
  readonly address?: string | undefined;
  /** Takes the values of secrets out of a text. Default: nothing to take out. */
  readonly scrubText?: ((text: string) => string) | undefined;
}

/** What is known after it. */
export interface Spawned {
  readonly address: string;
  /** -1 when it has lost its thread already. */
  readonly thread: number;
}

/**
 * Runs a spawn in a span `spawn {agent}`, from the call until the instance runs in its thread; a child of the
 * caller's span. A failure is told by its type alone: an agent's own message may quote its input.
 */
export async function inSpawnSpan<T extends Spawned>(facts: SpawnFacts, spawn: () => Promise<T>): Promise<T> {
  const span = quietly(() => startSpan(facts));
  try {
    const ref = await spawn();
    quietly(() => span?.setAttributes(attributesOf(ref, facts.scrubText)));
    return ref;
  } catch (error) {
    quietly(() => span?.setAttribute(ERROR_TYPE, errorType(error)).setStatus({ code: SpanStatusCode.ERROR }));
    throw error;
  } finally {
    quietly(() => span?.end());
  }
}

function startSpan({ version, agent, pool, address, scrubText = asItIs }: SpawnFacts): Span {
  // Looked up each time, so that an SDK may come late. A name that is not declared makes no span name.
  return trace.getTracer(SCOPE, version).startSpan(pool === undefined ? 'spawn' : `spawn ${agent}`, {
    kind: SpanKind.INTERNAL,
    attributes: {
      [AGENT]: agent,
      ...(pool !== undefined && { [POOL]: pool }),
      ...(address !== undefined && { [ADDRESS]: scrubText(address) }),
    },
  });
}

function attributesOf({ address, thread }: Spawned, scrubText = asItIs): Record<string, string | number> {
  const shown = scrubText(address);
  return thread < 0 ? { [ADDRESS]: shown } : { [ADDRESS]: shown, [THREAD]: thread };
}

function asItIs(text: string): string {
  return text;
}
