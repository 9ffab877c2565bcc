import { measure } from '../mailbox/size.ts';
import { findErrors } from '../wire/errors-within.ts';
import { REPORT, type LogReport } from '../wire/protocol.ts';
import type { Clock } from '../base/clock.ts';
import { clonableFields, mostBytes } from './log-fields.ts';
import type { Reports } from './reports.ts';
import type { LogLevel } from './thread-state.ts';

/**
 * The most lines of a thread within this time; the rest are counted (journald's `RateLimitBurst` and
 * `RateLimitIntervalSec`).
 */
const mostLines = 10_000;
const intervalMs = 30_000;

/** The log lines of a thread's agents, on their way to the host. */
export interface LogReports {
  /** With `slot` -1 the line belongs to no instance. */
  add(slot: number, level: LogLevel, message: string, fields: object): void;
}

export function createLogReports(
  reports: Pick<Reports, 'add' | 'flush'>,
  clock: Pick<Clock, 'setTimeout'>,
  now: () => number,
): LogReports {
  let began = -Infinity;
  let lines = 0;
  let leftOut = 0;

  function isTooMany(): boolean {
    if (now() - began >= intervalMs) [began, lines] = [now(), 0];
    lines += 1;
    if (lines <= mostLines) return false;
    leftOut += 1;
    if (leftOut === 1) clock.setTimeout(tellLeftOut, intervalMs - (now() - began));
    return true;
  }

  function tellLeftOut(): void {
    const message =
      `${leftOut} lines of agents were left out of the log: the thread wrote more than ${mostLines} within ` +
      `${intervalMs / 1000} s`;
    leftOut = 0;
    reports.add(REPORT.warning, -1, message);
  }

  return {
    add(slot, level, message, fields) {
      if (isTooMany()) return;
      reports.add(REPORT.log, slot, line(level, message, fields));
      // The thread may be about to end.
      if (level === 'warn' || level === 'error') reports.flush();
    },
  };
}

function line(level: LogLevel, message: string, fields: object): LogReport {
  const text = message.length > mostBytes ? `${message.slice(0, mostBytes)}…` : message;
  try {
    const size = measure(fields, mostBytes);
    if (size === 'too-large') return [level, text, { leftOut: `fields of more than ${mostBytes} bytes` }];
    if (size === 'too-deep') return [level, text, clonableFields(fields)];
  } catch {
    return [level, text, clonableFields(fields)];
  }
  const errors = findErrors(fields);
  return errors === undefined ? [level, text, fields] : [level, text, fields, errors];
}
