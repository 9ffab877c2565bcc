import type { Shown } from '../wire/inspection.ts';
import { isPlain } from '../wire/shapes.ts';

/** Whether what a thread sent is one. It goes out as JSON, so that it has to be what JSON can hold. */
export function isInspectionEvent(value: unknown): value is Shown {
  if (!isPlain(value)) return false;
  const { type, rootId, sessionId, createdAt, id, _version } = value;
  if (![rootId, sessionId, createdAt, id, _version].every((text) => typeof text === 'string')) return false;
  if (!isJson(value)) return false;
  if (![value['parentId'], value['sourceId']].every(isTextOrNone)) return false;
  if (type === '@holdfast.log')
    return (
      typeof value['level'] === 'string' && typeof value['message'] === 'string' && isPlain(value['fields'])
    );
  const isShown = isPlain(value['snapshot']);
  if (type === '@xstate.actor') return isShown && typeof value['name'] === 'string';
  const isCaused = isPlain(value['event']) && typeof value['event']['type'] === 'string';
  return isCaused && (type === '@xstate.event' || (type === '@xstate.snapshot' && isShown));
}

/** Levels and objects of one event: those of a thread of ours are fewer. */
const deepestShown = 50;
const mostShown = 10_000;

function isJson(root: unknown): boolean {
  let seen = 0;

  function fits(value: unknown, level: number): boolean {
    if (typeof value === 'bigint') return false;
    if (typeof value !== 'object' || value === null) return true;
    seen += 1;
    if (level > deepestShown || seen > mostShown) return false;
    if (!Array.isArray(value))
      return isPlain(value) && Object.values(value).every((part) => fits(part, level + 1));
    // Up to the first hole.
    for (let i = 0; i < value.length; i++)
      if (value[i] === undefined || !fits(value[i], level + 1)) return false;
    return true;
  }

  return fits(root, 0);
}

function isTextOrNone(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}
