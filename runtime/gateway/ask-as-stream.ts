import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import { systemClock, within } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { AppOptions } from './app-options.ts';
import { askedBody } from './asked-body.ts';
import { gone, type StreamKey } from './asked-streams.ts';
import type { AskedStream, AskedStreamShown } from './asked-stream.ts';
import { failureOf } from './failure.ts';
import { errorBody, HttpError } from './http-error.ts';
import { type Course, keyReused } from './idempotency.ts';
import type { Answer } from './kept-answers.ts';
import { plainJson } from './plain-json.ts';
import { CarriedOver } from './put-off-asks.ts';
import { behind, bodyOf, checked, headerOf, keyOf, wholeOf } from './request-parts.ts';
import { addressIn, reached, type Route, type RouteRequest } from './routes.ts';
import { assertStill, type Caller } from './token-access.ts';

/** The longest silence of a stream by default, as that of `ref.askStream`. */
const SILENCE_MS = 60_000;

type Params = Readonly<Record<string, string>>;

const STREAM = 'text/event-stream';
const JSON_TYPE = 'application/json';

/** Whether the client takes the answer as it comes: it names that, and does not say that it would rather have JSON. */
export function takesStream(c: Context): boolean {
  if (headerOf(c, 'accept')?.toLowerCase().includes(STREAM) !== true) return false;
  const match: Parameters<typeof accepts>[1]['match'] = (accepted) => {
    const weightOf = (type: string): number =>
      accepted.find((one) => one.type.toLowerCase() === type)?.q ?? 0;
    const weight = weightOf(STREAM);
    return weight > 0 && weight >= weightOf(JSON_TYPE) ? STREAM : JSON_TYPE;
  };
  const supports = [STREAM, JSON_TYPE];
  return accepts(c, { header: 'Accept', supports, default: JSON_TYPE, match }) === STREAM;
}

/**
 * Sends an event, and answers with what the agent writes. With a key that was there before it is the same stream, from its
 * beginning or from where the client was.
 */
export async function askAsStream(
  c: Context,
  route: Route,
  caller: Caller,
  params: Params,
  options: AppOptions,
  read: { text: string },
): Promise<Response> {
  const text = (read.text = await c.req.text());
  const { incoming, outgoing } = behind(c);
  const requests = options.requests?.();
  if (incoming && outgoing && requests?.begin(incoming, outgoing) === false) throw new CarriedOver();
  try {
    const query = checked(route.query, c.req.query(), 'the query') as RouteRequest['query'];
    const body = checked(route.body, bodyOf(text), 'the request body');
    const open = async (course?: Course, keyed?: StreamKey): Promise<AskedStream> => {
      // Its client has a part of the answer already: to ask again would do it twice.
      if (lastOf(c) !== undefined) throw gone('the answer that this client was reading is not kept any more');
      return opened({ params, query, body, caller, course }, options, keyed);
    };
    const key = keyOf(c);
    if (key === undefined) return responseOf(c, await open(), options);
    const whole = wholeOf(c, text, STREAM);
    const known = options.asked.withKey(caller, key, whole);
    if (known !== undefined) return responseOf(c, known, options, true);
    let begun: Course | undefined;
    const found = options.idempotency.once(caller.name, key, whole, (course) => {
      begun = course;
      return kept(open(course, { key, whole }), options);
    });
    const answer = await found.answer.finally(() => found.leave());
    const address = addressIn(params);
    // Of a durable instance the store knows the key, for longer.
    if (options.anywhere.keeps(address)) begun?.refused();
    if (answer.status !== 200) return refused(answer, found.isReplay);
    const { ask } = JSON.parse(answer.body) as { ask: string };
    const stream = options.asked.find(ask, address, caller);
    return responseOf(c, stream, options, found.isReplay || stream.isAgain);
  } finally {
    // Nobody waits for the end of a stream before another process takes over.
    if (outgoing !== undefined) requests?.putOff(outgoing);
  }
}

/** Goes on with a stream, after the last event that the client has. */
export function followAsk(c: Context, caller: Caller, params: Params, options: AppOptions): Response {
  return responseOf(c, options.asked.find(params['ask'] ?? '', addressIn(params), caller), options);
}

async function opened(
  {
    params,
    query,
    body,
    caller,
    course,
  }: Pick<RouteRequest, 'params' | 'query' | 'body' | 'caller'> & { readonly course: Course | undefined },
  options: AppOptions,
  keyed: StreamKey | undefined,
): Promise<AskedStream> {
  const ms = options.requestTimeoutMs();
  const late = (): Error =>
    new HttpError(504, 'REQUEST_TIMEOUT', `the instance did not start within ${ms} ms`);
  const ref = await within(systemClock, ms, reached(options, { params, query, caller }), late);
  const [most, agent] = [options.gateway().limits.streams, params['agent'] ?? ''];
  assertStill(options.access(), caller, 'send', agent);
  const { address } = ref;
  const stream = options.asked.open({ address, agent, caller, most, keyed });
  try {
    course?.begun();
    const { signal } = stream;
    const timeoutMs = (query['timeoutMs'] as number | undefined) ?? SILENCE_MS;
    const wait = { timeoutMs, signal };
    const given =
      keyed && options.anywhere.keeps(address) ? { id: keyed.key, caller: caller.name } : undefined;
    const asked = given && options.anywhere.keepStream(address, body, given, wait);
    void stream.read(asked?.stream ?? ref.askStream(body, wait), shownBy(options));
    if (asked !== undefined) stream.isAgain = await within(systemClock, ms, asked.again, late);
    // A refusal of the mailbox is known at once, and is an answer of its own.
    await new Promise((resolve) => setImmediate(resolve));
    const { failedAtOnce } = stream;
    if (failedAtOnce !== undefined) throw isReused(failedAtOnce.error) ? keyReused() : failedAtOnce.error;
    return stream;
  } catch (error) {
    course?.refused();
    options.asked.cancel(stream.of.id, address, caller);
    throw error;
  }
}

function isReused(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'ID_REUSED';
}

/** The answer that is kept under the key: where the stream is, or why there is none. */
async function kept(opening: Promise<AskedStream>, options: AppOptions): Promise<Answer> {
  try {
    const { of } = await opening;
    return { status: 200, body: JSON.stringify({ ask: of.id }) };
  } catch (error) {
    const { status, said, retryAfter } = failureOf(error, options);
    return { status, body: JSON.stringify(errorBody(said)), retryAfter };
  }
}

function shownBy(options: AppOptions): AskedStreamShown {
  const { scrubber } = options;
  return {
    value: (value) => JSON.stringify(plainJson(scrubber.scrub(value))) ?? 'null',
    error: (error) => failureOf(error, options).said,
    textStream: scrubber.textStream,
  };
}

function responseOf(c: Context, stream: AskedStream, { asked }: AppOptions, isReplay = false): Response {
  const after = asked.placeIn(stream, lastOf(c) ?? (c.req.query('from') || undefined));
  const headers = {
    'Content-Type': STREAM,
    'Cache-Control': 'no-store',
    'Content-Location': `/v1/agents/${stream.of.address}/asks/${stream.of.id}`,
    'X-Accel-Buffering': 'no',
    ...(isReplay && { 'Idempotent-Replayed': 'true' }),
  };
  // Who asks for the head alone does not take the place of the client that reads.
  if (c.req.method === 'HEAD') return new Response(null, { headers });
  return new Response(askedBody(stream, after, c.req.raw.signal), { headers });
}

/** The id of the last event that the client has; none where it has nothing. */
function lastOf(c: Context): string | undefined {
  return headerOf(c, 'last-event-id') || undefined;
}

function refused({ status, body, retryAfter }: Answer, isReplay: boolean): Response {
  const headers = {
    'Content-Type': 'application/json',
    ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
    ...(isReplay && { 'Idempotent-Replayed': 'true' }),
  };
  return new Response(body, { status, headers });
}
