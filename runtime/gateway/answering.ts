import { systemClock, within } from '../base/clock.ts';
import type { AppOptions } from './app-options.ts';
import { failureOf } from './failure.ts';
import { errorBody, HttpError } from './http-error.ts';
import type { Course } from './idempotency.ts';
import type { Answer } from './kept-answers.ts';
import { plainJson } from './plain-json.ts';
import { CarriedOver } from './put-off-asks.ts';
import type { Route, RouteRequest } from './routes.ts';

export function tooLate(ms: number): HttpError {
  return new HttpError(504, 'REQUEST_TIMEOUT', `no answer within ${ms} ms`);
}

/** The timeout of a request with a key, which goes on. */
function stillRunning({ scope }: Route, ms: number): HttpError {
  const message =
    `no answer within ${ms} ms; it is still running, or waits for its turn: the same request with the same Idempotency-Key ` +
    'waits for the same answer, and does nothing twice';
  return new HttpError(504, scope === 'send' ? 'ASK_TIMEOUT' : 'REQUEST_TIMEOUT', message);
}

/** A thrown error as the client is told: without values of secrets. */
export function answerTo(error: unknown, options: Pick<AppOptions, 'logger' | 'scrubber'>): Answer {
  const { status, said, retryAfter } = failureOf(error, options);
  return { status, body: JSON.stringify(errorBody(said)), retryAfter };
}

/** The outcome of a request, even when it fails; not when another process answers it. */
export async function ended(
  answer: Promise<Answer>,
  options: Pick<AppOptions, 'logger' | 'scrubber'>,
): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof CarriedOver) throw error;
    return answerTo(error, options);
  }
}

/** The answer to a request that waits for an ask of another process. */
export function carriedAnswer(
  reply: Promise<unknown>,
  options: Pick<AppOptions, 'logger' | 'scrubber'>,
): Promise<Answer> {
  const answer = async (): Promise<Answer> => {
    return { status: 200, body: bodyWith({ reply: (await reply) ?? null }, options) };
  };
  return ended(answer(), options);
}

export function bodyWith(found: unknown, { scrubber }: Pick<AppOptions, 'scrubber'>): string {
  return JSON.stringify(plainJson(scrubber.scrub(found))) ?? 'null';
}

export async function run(route: Route, request: RouteRequest, options: AppOptions): Promise<Answer> {
  const { status, body, retryAfter } = await route.run(options, request);
  if (body === undefined) return { status, body: '' };
  const { agents } = request.caller;
  const may = (agent: string): boolean => agents.includes('*') || agents.includes(agent);
  return { status, body: bodyWith(route.shown?.(body, may) ?? body, options), retryAfter };
}

/** What identifies a request with a key, and who waits for it. */
export interface Keyed extends Pick<RouteRequest, 'caller' | 'putOff' | 'ticket'> {
  readonly key: string;
  readonly whole: string;
  /** The longest wait for the answer, in milliseconds. */
  readonly ms: number;
}

/** The answer to a request with a key, which is begun once. */
export async function once(
  route: Route,
  { caller, key, whole, putOff, ticket, ms }: Keyed,
  begin: (course: Course) => Promise<Answer>,
  { idempotency }: Pick<AppOptions, 'idempotency'>,
): Promise<Answer & { readonly isReplay?: boolean }> {
  const found = idempotency.once(caller.name, key, whole, begin, putOff);
  try {
    const answer = await within(systemClock, ms, found.answer, () => stillRunning(route, ms));
    // A request that another process passed on is the first one, and no replay.
    return { ...answer, isReplay: found.isReplay && ticket === undefined };
  } finally {
    found.leave();
  }
}
