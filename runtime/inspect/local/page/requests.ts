import { authorization } from './session.ts';

/** Sends JSON to the runtime, as who has this tab's session. */
export function sendJson(path: string, body: object, signal?: AbortSignal): Promise<Response> {
  return fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...authorization() },
    body: JSON.stringify(body),
    ...(signal !== undefined && { signal }),
  });
}

/** Asks the runtime what changes nothing there. Undefined: it does not answer now. */
export async function ask<T>(path: string, question: object, signal?: AbortSignal): Promise<T | undefined> {
  try {
    const answer = await sendJson(path, question, signal);
    return answer.ok ? ((await answer.json()) as T) : undefined;
  } catch {
    return undefined;
  }
}
