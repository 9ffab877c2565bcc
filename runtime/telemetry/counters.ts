import { ValueType, type Counter, type Meter } from '@opentelemetry/api';
import type { RuntimeEvents, RuntimeListener } from '../telling/runtime-events.ts';
import { AGENT, agentNameAt, REASON, type AgentAt } from './attributes.ts';

/** A source of the runtime's events; `Runtime` is one. */
export interface EventSource {
  on<K extends keyof RuntimeEvents>(type: K, listener: RuntimeListener<K>): unknown;
}

/** Counts what the runtime tells, for as long as it tells something. */
export function countEvents(meter: Meter, source: EventSource, agentAt: AgentAt): void {
  countRestarts(meter, source, agentAt);
  countDeadLetters(meter, source, agentAt);
  countRotations(meter, source, agentAt);
}

function countRestarts(meter: Meter, source: EventSource, agentAt: AgentAt): void {
  const restarts = counter(meter, 'holdfast.agent.restarts', '{restart}', 'Incarnations after the first.');
  // `restarting` comes before it is decided whether to; only a new incarnation proves a restart.
  const incarnations = new Map<string, number>();
  source.on('agent', ({ address, incarnation, state }) => {
    // The first one that is heard of may be a later one, where it goes on from a store.
    const more = incarnation - (incarnations.get(address) ?? incarnation);
    if (more > 0) restarts.add(more, { [AGENT]: agentNameAt(address, agentAt) });
    incarnations.set(address, incarnation);
    if (state === 'ended' || state === 'passive') incarnations.delete(address);
  });
}

function countDeadLetters(meter: Meter, source: EventSource, agentAt: AgentAt): void {
  const letters = counter(meter, 'holdfast.dead_letters', '{message}', 'Events that were not handled.');
  source.on('dead-letter', ({ address, reason, replays }) => {
    // One that failed again is the one that was counted.
    if (replays > 0) return;
    letters.add(1, { [AGENT]: agentNameAt(address, agentAt), [REASON]: reason });
  });
}

function countRotations(meter: Meter, source: EventSource, agentAt: AgentAt): void {
  const rotations = counter(
    meter,
    'holdfast.secret.rotations',
    '{rotation}',
    'Changes of a secret, each once, however many instances hear of it.',
  );
  const epochs = new Map<string, number>();
  source.on('secret', ({ type, address, label, epoch }) => {
    if (type !== 'secret.rotated') return;
    const grant = agentAt(address)?.grants.find((grant) => grant.label === label);
    if (grant === undefined) return;
    const secret = JSON.stringify([grant.provider, grant.id, grant.stage]);
    if (epochs.get(secret) === epoch) return;
    epochs.set(secret, epoch);
    rotations.add(1);
  });
}

function counter(meter: Meter, name: string, unit: string, description: string): Counter {
  return meter.createCounter(name, { unit, description, valueType: ValueType.INT });
}
