import type { PeerThread } from '../instance/peer.ts';
import type { Ack } from '../mailbox/outbox.ts';
import type { LinkApi } from '../wire/link.ts';
import type { HostMethod, SecretUseName } from '../wire/protocol.ts';
import { areUses, isCount, isListOf, isStepOf } from '../wire/shapes.ts';
import type { KeepStep } from './keep-step.ts';
import { isPeerRequest, type PeerBroker } from './peer-broker.ts';
import type { SecretStreams } from './secret-streams.ts';
import type { SecretUses } from './secret-uses.ts';
import type { ToolCallRequest, ToolCalls } from './tool-calls.ts';
import type { ThreadInspection } from './thread-inspection.ts';

export interface HostApiOptions {
  /** The pool of the thread, its number there and its name. */
  readonly threadId: string;
  readonly n: number;
  readonly name: string;
  /** The thread as the broker knows it. */
  readonly peer: () => PeerThread;
  readonly broker: Pick<PeerBroker, 'connect' | 'disconnect' | 'unread' | 'ended'>;
  readonly reports: { readonly receive: (items: readonly unknown[]) => unknown };
  readonly secretUses: Pick<SecretUses, 'use' | 'take' | 'giveUp' | 'room'>;
  readonly toolCalls: Pick<ToolCalls, 'call' | 'giveUp'>;
  readonly secretStreams: Pick<SecretStreams, 'credit' | 'upload'>;
  readonly inspection?: Pick<ThreadInspection, 'fromThread' | 'room'> | undefined;
  readonly acknowledge: (ack: Ack) => void;
  /**
   * Resolves when everything is committed that the thread has told, with those of the slots of whose instances nothing more
   * is told.
   */
  readonly committed: (slots: readonly number[]) => Promise<readonly number[]>;
  readonly keepStep: KeepStep;
  /** Called when the thread could not read a frame of the host. */
  readonly unread: () => void;
  /** Called when something malformed was left out. */
  readonly violated: (what: string) => void;
}

/** The methods of the host that a thread may call, with any arguments. */
export function hostApi(options: HostApiOptions): LinkApi & Record<HostMethod, unknown> {
  const { threadId, n, name, peer, broker, reports, secretUses, secretStreams, toolCalls } = options;
  const { inspection, acknowledge, violated } = options;
  const refuse = (method: HostMethod): never => {
    violated(`a malformed call (${method})`);
    throw new TypeError(`this is not a call of ${method}()`);
  };
  return {
    report: (items: readonly unknown[]) => reports.receive(items),
    acknowledge,
    secret: (...[slot, incarnation, use, input, number, trace]: readonly unknown[]) =>
      isCount(slot) && isCount(incarnation) && typeof use === 'string' && isCount(number)
        ? secretUses.use({ slot, incarnation, use: use as SecretUseName, input, n: number, trace })
        : refuse('secret'),
    uses: (uses: unknown) => (areUses(uses) ? secretUses.take(uses) : refuse('uses')),
    tool: (...[slot, incarnation, server, tool, args, number, trace]: readonly unknown[]) =>
      isCount(slot) && isCount(incarnation) && isCount(number) && areTexts(server, tool, args)
        ? toolCalls.call({ slot, incarnation, server, tool, args, n: number, trace } as ToolCallRequest)
        : refuse('tool'),
    // What a thread waits for has one row of numbers.
    giveUp: (number: number) => {
      secretUses.giveUp(number);
      toolCalls.giveUp(number);
    },
    credit: (number: unknown, bytes: unknown) => {
      if (!isCount(number) || !isCount(bytes) || !secretStreams.credit(number, bytes)) refuse('credit');
    },
    room: (number: unknown, bytes: unknown) =>
      isCount(number) && isCount(bytes) ? (secretUses.room(number, bytes) ?? refuse('room')) : refuse('room'),
    upload: (number: unknown, bytes: unknown) =>
      isCount(number) && (bytes === undefined || areOwnBytes(bytes))
        ? (secretStreams.upload(number, bytes) ?? refuse('upload'))
        : refuse('upload'),
    connect: (...[sender, address, id, taken, activate]: readonly unknown[]) => {
      const request = { sender, address, id, taken, activate };
      return isPeerRequest(request) ? broker.connect(peer(), request) : refuse('connect');
    },
    disconnect: (line: number) => broker.disconnect(peer(), line),
    inspected: (events: unknown, sampled: unknown) => {
      const fits = inspection?.fromThread({ threadId, n, name }, events, sampled);
      if (fits === false) violated('malformed inspection events');
      // The thread shows less until this resolves.
      return inspection?.room();
    },
    unread: (from: unknown) => {
      if (from === undefined) options.unread();
      else if (isCount(from)) void broker.unread(peer(), from);
      else refuse('unread');
    },
    committed: (slots: unknown) =>
      isListOf(slots, isCount) ? options.committed(slots) : refuse('committed'),
    step: (slot: unknown, incarnation: unknown, step: unknown) =>
      isCount(slot) && isCount(incarnation) && isStepOf(step)
        ? options.keepStep(slot, incarnation, step)
        : refuse('step'),
    ended: (address: unknown) =>
      typeof address === 'string' ? broker.ended(peer(), address) : refuse('ended'),
  };
}

function areTexts(...values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === 'string');
}

/** Bytes that no thread can change while they are sent. */
function areOwnBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.buffer instanceof ArrayBuffer;
}
