import { HoldfastError } from '../base/errors.ts';
import type { AgentRef } from '../runtime.ts';
import { bodyWith, ended, once, run } from './answering.ts';
import type { AppOptions } from './app-options.ts';
import type { Course } from './idempotency.ts';
import type { Answer } from './kept-answers.ts';
import { KEY, type ToolAsk } from './mcp.ts';
import { HttpError } from './http-error.ts';
import { plainJson } from './plain-json.ts';
import { askRoute, reached, type RouteRequest } from './routes.ts';
import { assertStill } from './token-access.ts';

const LONGEST_KEY = 255;
/** Milliseconds that a call which tells of its progress has to end before another process takes over. */
const LEAVE_MS = 2000;
const INTERRUPTED = 'another process of the gateway takes over, where the agent begins anew; call again';

/** Who calls, and how many of their calls tell of their progress, by token. */
export interface CalledBy extends Pick<RouteRequest, 'caller' | 'ticket' | 'putOff'> {
  readonly streaming: Map<string, number>;
}

/** Asks an agent on behalf of a call of a tool, which starts the instance when there is none. */
export function askForTool(call: ToolAsk, by: CalledBy, options: AppOptions): Promise<Answer> {
  return ended(answerOf(call, by, options), options);
}

async function answerOf(
  { agent, id, event, signal, key, written }: ToolAsk,
  { streaming, ...by }: CalledBy,
  options: AppOptions,
): Promise<Answer> {
  const ms = options.requestTimeoutMs();
  const query = { activate: 'true', timeoutMs: ms };
  const request = { ...by, params: { agent, id }, query, body: event, signal, course: undefined };
  if (key !== undefined) {
    if (!isKey(key))
      throw new HttpError(400, 'BAD_REQUEST', `"${KEY}" is a text of 1 to ${LONGEST_KEY} characters`);
    const begin = (course: Course): Promise<Answer> =>
      ended(run(askRoute, { ...request, course, key, signal: course.signal }, options), options);
    const whole = JSON.stringify(['mcp', agent, id, event]);
    return once(askRoute, { ...by, key, whole, ms }, begin, options);
  }
  if (written === undefined || by.ticket !== undefined) return run(askRoute, request, options);
  return streamed(request, streaming, written, options);
}

function isKey(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= LONGEST_KEY;
}

/** Tells what the agent writes as it comes. */
async function streamed(
  { body, signal, query, ...request }: Pick<RouteRequest, 'params' | 'query' | 'body' | 'caller' | 'signal'>,
  streaming: CalledBy['streaming'],
  written: NonNullable<ToolAsk['written']>,
  options: AppOptions,
): Promise<Answer> {
  const { name } = request.caller;
  const open = streaming.get(name) ?? 0;
  if (open >= options.gateway().limits.streams) {
    const message = `this token has ${open} calls open that tell of their progress; that is as many as gateway.limits.streams allows`;
    throw new HttpError(429, 'LIMIT_REACHED', message);
  }
  const ending = new AbortController();
  const end = (): void => ending.abort(new HoldfastError('STREAM_INTERRUPTED', INTERRUPTED));
  const leave = (): void => void setTimeout(end, LEAVE_MS).unref();
  options.leaving?.addEventListener('abort', leave, { once: true });
  streaming.set(name, open + 1);
  try {
    const ref = await reached(options, { ...request, query });
    const { caller, params } = request;
    const still = (): void => assertStill(options.access(), caller, 'send', params['agent'] ?? '');
    still();
    const answer = await read(
      ref.askStream(body, {
        signal: AbortSignal.any([signal, ending.signal]),
        timeoutMs: query['timeoutMs'] as number,
      }),
      (chunk) => {
        still();
        return written(chunk);
      },
      options,
    );
    still();
    return answer;
  } finally {
    options.leaving?.removeEventListener('abort', leave);
    const left = (streaming.get(name) ?? 1) - 1;
    if (left === 0) streaming.delete(name);
    else streaming.set(name, left);
  }
}

/** What is said in several chunks is looked through as one text. */
async function read(
  stream: ReturnType<AgentRef['askStream']>,
  written: NonNullable<ToolAsk['written']>,
  options: AppOptions,
): Promise<Answer> {
  const { scrubber } = options;
  let text = scrubber.textStream();
  // What was held back of a text goes before what follows the text.
  const endText = async (): Promise<void> => {
    const rest = text.end();
    if (rest !== '') await written(rest);
  };
  for await (const chunk of stream) {
    if (typeof chunk === 'string') {
      const shown = text.push(chunk);
      if (shown !== '') await written(shown);
      continue;
    }
    await endText();
    text = scrubber.textStream();
    await written(plainJson(scrubber.scrub(chunk)) ?? null);
  }
  await endText();
  return { status: 200, body: bodyWith({ reply: (await stream.result) ?? null }, options) };
}
