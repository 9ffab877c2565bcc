import type { JSONValue, ModelMessage, ToolResultPart, ToolSet, TypedToolCall } from 'ai';
import { log, replyStream, type ReplyStream } from 'holdfast/agent';
import { assertEvent, assign, emit, enqueueActions, setup, type AnyActorLogic } from 'xstate';
import { z } from 'zod';
import { answering, noting } from './model.ts';

/** What a desk accepts; the modules of the desks export it. */
export const accepts = { say: z.object({ text: z.string().min(1).max(20_000) }) };

export interface Say extends z.infer<typeof accepts.say> {
  readonly type: 'say';
}

/** What a desk is: what its model is told, and the tools that it may use. */
export interface Desk {
  readonly instructions: string;
  /** What the model is told of each tool. */
  readonly tools: ToolSet;
  /** What runs when the model calls one, by the same name. */
  readonly calls: Readonly<Record<string, AnyActorLogic>>;
}

/** What a desk is spawned with: one instance for each customer. */
export interface Customer {
  /** Milliseconds without a word after which it asks whether anybody is there, and after as many again closes. Default: five minutes. */
  readonly silenceMs?: number;
}

/** What a desk emits, beside the tokens of its answers. */
export type Told =
  | { readonly type: 'tool'; readonly name: string; readonly outcome: 'called' | 'answered' | 'failed' }
  | { readonly type: 'silence'; readonly text: string };

type Call = TypedToolCall<ToolSet>;
const MOST_ROUNDS = 5;

interface Context extends Required<Customer> {
  readonly messages: readonly ModelMessage[];
  /** Where the answer to the last question goes. */
  readonly out?: ReplyStream;
  /** What the model has called, and what has not answered yet. */
  readonly calls: readonly Call[];
  /** How often the model was asked for this answer. */
  readonly rounds: number;
  /** What remains of the conversation. */
  readonly note: string;
}

/** The end of a tool, which is a child of the machine with the id of its call. */
interface ToolEnd {
  readonly type: `xstate.done.actor.${string}` | `xstate.error.actor.${string}`;
  readonly actorId: string;
  readonly output?: unknown;
  readonly error?: unknown;
}

/**
 * A conversation with one customer: it waits, has the model answer, runs the tools that the model calls, and has it answer
 * again. When the customer is silent it asks once, and closes.
 */
// eslint-disable-next-line typescript/explicit-module-boundary-types -- the type of the machine is inferred
export function conversation({ instructions, tools, calls }: Desk) {
  return setup({
    types: {
      context: {} as Context,
      events: {} as Say | ToolEnd,
      input: undefined as Customer | undefined,
      emitted: {} as Told,
      output: {} as string,
    },
    actors: { ...calls, answering: answering(instructions, tools), noting },
    guards: {
      hasTalked: ({ context }) => context.messages.length > 0,
      isAtTools: ({ context }) => context.calls.length > 0,
      // A tool that the model called has the last word, unless it has said all.
      isDone: ({ context }) => context.messages.at(-1)?.role !== 'tool',
      isEndless: ({ context }) => context.rounds === MOST_ROUNDS,
    },
    delays: { silence: ({ context }) => context.silenceMs },
    actions: {
      hear: assign(({ context, event }) => {
        assertEvent(event, 'say');
        const heard = { role: 'user' as const, content: event.text };
        return { messages: [...context.messages, heard], rounds: 0, out: replyStream(event) };
      }),
      call: enqueueActions(({ context, enqueue }) => {
        for (const { toolCallId, toolName, input } of context.calls) {
          enqueue.emit({ type: 'tool', name: toolName, outcome: 'called' });
          // Which one it is says the model; its input was checked by the schema of the tool. By its name it can be kept.
          enqueue.spawnChild(toolName as never, { id: toolCallId, input });
        }
      }),
      take: enqueueActions(({ context, event, enqueue }) => {
        const { actorId, output, error } = event as ToolEnd;
        const call = context.calls.find(({ toolCallId }) => toolCallId === actorId);
        if (call === undefined) return;
        enqueue.stopChild(actorId);
        enqueue.emit({
          type: 'tool',
          name: call.toolName,
          outcome: error === undefined ? 'answered' : 'failed',
        });
        enqueue.assign({
          calls: context.calls.filter((other) => other !== call),
          messages: [...context.messages, resultOf(call, output, error)],
        });
      }),
    },
  }).createMachine({
    context: ({ input }) => ({ silenceMs: 300_000, ...input, messages: [], calls: [], rounds: 0, note: '' }),
    initial: 'waiting',
    // Whoever asks while an answer is being written.
    on: {
      say: { actions: ({ event }) => replyStream(event).fail(new Error('One question at a time, please.')) },
    },
    states: {
      waiting: {
        initial: 'listening',
        on: {
          say: { target: 'answering', actions: 'hear' },
        },
        states: {
          listening: { after: { silence: 'asked' } },
          asked: {
            entry: emit({ type: 'silence', text: 'Are you still there?' }),
            after: { silence: [{ guard: 'hasTalked', target: '#closing' }, { target: '#closed' }] },
          },
        },
      },
      answering: {
        invoke: {
          src: 'answering',
          input: ({ context }) => ({
            messages: context.messages,
            out: context.out as ReplyStream,
          }),
          onDone: {
            target: 'calling',
            actions: assign(({ context, event }) => ({
              messages: [...context.messages, ...event.output.messages],
              calls: event.output.calls,
              rounds: context.rounds + 1,
            })),
          },
          onError: {
            target: 'waiting',
            actions: ({ context, event }) => context.out?.fail(event.error),
          },
        },
      },
      calling: {
        entry: 'call',
        always: [
          { guard: 'isAtTools' },
          { guard: 'isDone', target: 'waiting', actions: ({ context }) => context.out?.end() },
          {
            guard: 'isEndless',
            target: 'waiting',
            actions: ({ context }) => context.out?.fail(new Error('The model calls tools without end.')),
          },
          { target: 'answering' },
        ],
        on: { 'xstate.done.actor.*': { actions: 'take' }, 'xstate.error.actor.*': { actions: 'take' } },
      },
      closing: {
        id: 'closing',
        invoke: {
          src: 'noting',
          input: ({ context }) => context.messages,
          onDone: { target: 'closed', actions: assign({ note: ({ event }) => event.output }) },
          onError: {
            target: 'closed',
            actions: ({ event }) => log.warn('no note was made', { error: event.error }),
          },
        },
      },
      closed: { id: 'closed', type: 'final' },
    },
    output: ({ context }) => context.note,
  });
}

/** What the model is told of a tool that it called. */
function resultOf({ toolCallId, toolName }: Call, output: unknown, error: unknown): ModelMessage {
  const said: ToolResultPart['output'] =
    error === undefined
      ? { type: 'json', value: (output ?? null) as JSONValue }
      : { type: 'error-text', value: (error as Error).message };
  return { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output: said }] };
}
