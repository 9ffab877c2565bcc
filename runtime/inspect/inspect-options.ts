import { HoldfastError } from '../base/errors.ts';
import type { InspectOptions as HubOptions } from './inspection-hub.ts';
import { type Inspector, inspectorProblems, throughInspector } from './stately-inspector.ts';

/** Options for the inspection of a runtime. */
export interface InspectOptions extends HubOptions {
  /**
   * The page that is served on 127.0.0.1: `local`, Holdfast's own, which needs no network, or `stately`, the hosted
   * inspector at stately.ai in a frame. Default: `local`, or no page when there is an `adapter`.
   */
  readonly page?: 'local' | 'stately';
  /** The port of the page. Default: a free one. */
  readonly port?: number;
  /** Whether the page may act: send events, stop and resume instances, replace and profile threads, replay dead letters, fetch secrets again. Default: false. */
  readonly allowSend?: boolean;
}

export type Inspect = 'local' | 'stately' | InspectOptions | Inspector;

/** @throws {HoldfastError} `CONFIG_INVALID`: with all that is wrong */
export function inspectOptions(inspect: Inspect): InspectOptions {
  if (inspect === 'local' || inspect === 'stately') return { page: inspect };
  const problems = inspectProblems(inspect);
  if (problems.length > 0) throw new HoldfastError('CONFIG_INVALID', `\`inspect\`: ${problems.join('; ')}`);
  // An inspector has started its adapter, and goes on when the runtime has stopped.
  const adapter = isInspector(inspect) ? throughInspector(inspect) : inspect.adapter;
  const {
    page = adapter === undefined ? 'local' : undefined,
    port,
    allowSend,
    filter,
  } = inspect as InspectOptions;
  return {
    ...(adapter && { adapter }),
    ...(page !== undefined && { page }),
    ...(port !== undefined && { port }),
    ...(allowSend !== undefined && { allowSend }),
    ...(filter && { filter }),
  };
}

function isInspector(inspect: InspectOptions | Inspector): inspect is Inspector {
  return inspect.adapter !== undefined && 'inspect' in inspect;
}

/** What is wrong with it, one sentence each. */
export function inspectProblems(inspect: unknown): string[] {
  if (inspect === 'local' || inspect === 'stately') return [];
  try {
    return typeof inspect === 'object' && inspect !== null ? problemsOf(inspect) : [NOT_THAT];
  } catch {
    return [NOT_THAT];
  }
}

const NOT_THAT = "give 'local', 'stately', options, or what createInspector of @statelyai/inspect returns";

function problemsOf(inspect: InspectOptions | Inspector): string[] {
  const given = inspect as Readonly<Record<string, unknown>>;
  const { adapter, page, port, allowSend, filter } = given;
  const send = (adapter as { send?: unknown } | null | undefined)?.send;
  return [
    // As createBrowserInspector returns it where there is no window.
    adapter === undefined && typeof given['send'] === 'function' && 'this is an adapter: give `{ adapter }`',
    ...(isInspector(inspect) ? inspectorProblems(given) : []),
    adapter !== undefined && typeof send !== 'function' && '`adapter` has no method `send`',
    page !== undefined && page !== 'local' && page !== 'stately' && "`page` is 'local' or 'stately'",
    port !== undefined && !isPort(port) && '`port` is a whole number from 0 to 65535',
    allowSend !== undefined && typeof allowSend !== 'boolean' && '`allowSend` is true or false',
    filter !== undefined && typeof filter !== 'function' && '`filter` is a function',
  ].filter((problem) => problem !== false);
}

function isPort(port: unknown): boolean {
  return Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535;
}
