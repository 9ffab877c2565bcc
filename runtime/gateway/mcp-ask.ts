import { bodyWith, ended, once, run } from './answering.ts';
import type { AppOptions } from './app-options.ts';
import type { Course } from './idempotency.ts';
import type { Answer } from './kept-answers.ts';
import type { ToolAsk } from './mcp.ts';
import { plainJson } from './plain-json.ts';
import { askRoute, reached, type RouteRequest } from './routes.ts';

const LONGEST_KEY = 255;

/** Asks an agent on behalf of a call of a tool, which starts the instance when there is none. */
export function askForTool(
  call: ToolAsk,
  by: Pick<RouteRequest, 'caller' | 'ticket' | 'putOff'>,
  options: AppOptions,
): Promise<Answer> {
  return ended(answerOf(call, by, options), options);
}

async function answerOf(
  { agent, id, event, signal, key, written }: ToolAsk,
  by: Pick<RouteRequest, 'caller' | 'ticket' | 'putOff'>,
  options: AppOptions,
): Promise<Answer> {
  const ms = options.requestTimeoutMs();
  const query = { activate: 'true', timeoutMs: ms };
  const request = { ...by, params: { agent, id }, query, body: event, signal, course: undefined };
  if (key !== undefined && key !== '' && key.length <= LONGEST_KEY) {
    const begin = (course: Course): Promise<Answer> =>
      ended(run(askRoute, { ...request, course, signal: course.signal }, options), options);
    const whole = JSON.stringify(['mcp', agent, id, event]);
    return once(askRoute, { ...by, key, whole, ms }, begin, options);
  }
  if (written === undefined || by.ticket !== undefined) return run(askRoute, request, options);
  return streamed(request, written, options);
}

/** Tells what the agent writes as it comes; what it says in several chunks is looked through as one text. */
async function streamed(
  { body, signal, query, ...request }: Pick<RouteRequest, 'params' | 'query' | 'body' | 'caller' | 'signal'>,
  written: NonNullable<ToolAsk['written']>,
  options: AppOptions,
): Promise<Answer> {
  const { scrubber } = options;
  const ref = await reached(options, { ...request, query });
  const stream = ref.askStream(body, { signal, timeoutMs: query['timeoutMs'] as number });
  const text = scrubber.textStream();
  for await (const chunk of stream) {
    if (typeof chunk !== 'string') await written(plainJson(scrubber.scrub(chunk)));
    else {
      const shown = text.push(chunk);
      if (shown !== '') await written(shown);
    }
  }
  const rest = text.end();
  if (rest !== '') await written(rest);
  return { status: 200, body: bodyWith({ reply: (await stream.result) ?? null }, options) };
}
