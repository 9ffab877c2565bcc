import type { RuntimeStatus } from '../../telling/status.ts';
import { isPlain } from '../../wire/shapes.ts';

/** The status of the runtime, as a line of a record. */
export interface StatusLine {
  readonly type: '@holdfast.status';
  /** Milliseconds since the epoch, as text. */
  readonly createdAt: string;
  readonly status: RuntimeStatus;
}

const lists = ['pools', 'instances', 'secrets', 'secretProviders'];

/** Whether it is one, as far as a page reads it. */
export function isStatusLine(value: unknown): value is StatusLine {
  if (!isPlain(value) || value['type'] !== '@holdfast.status' || typeof value['createdAt'] !== 'string')
    return false;
  const { status } = value;
  if (!isPlain(status)) return false;
  return lists.every((name) => Array.isArray(status[name]) && (status[name] as unknown[]).every(isPlain));
}
