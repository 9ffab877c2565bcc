import { LONGEST_TIMER_MS } from '../../base/clock.ts';
import { GatewayError } from '../../gateway/gateway-error.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { gatewayOf, type GatewayOptions, pathOf, request } from '../gateway-client.ts';
import { paint, table, type Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

interface Options extends GatewayOptions {
  readonly json?: boolean;
}

interface SendOptions extends Options {
  /** Start the instance when there is none. */
  readonly activate?: boolean;
  /** Milliseconds. */
  readonly timeout?: string;
}

interface InstanceRow {
  readonly address: string;
  readonly state: string;
  readonly threadId: string;
  readonly thread: number;
  readonly incarnation: number;
  readonly restarts: number;
  readonly handled: number;
  readonly mailbox: number;
  readonly capacity: number;
}

/** The instances of the gateway. */
export async function agentsList(options: Options, terminal: Terminal): Promise<ExitCode> {
  const { stdout } = terminal;
  const found = (await request(await gatewayOf(options, terminal), 'GET', '/v1/agents')) as {
    instances: InstanceRow[];
  };
  if (options.json === true) {
    stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const colour = paint(terminal);
  const rows = found.instances.map((one) => [
    colour('cyan', one.address),
    one.state === 'running' ? one.state : colour('yellow', one.state),
    one.threadId,
    threadOf(one),
    String(one.restarts),
    String(one.handled),
    `${one.mailbox}/${one.capacity}`,
  ]);
  stdout.write(
    rows.length === 0
      ? 'No instance is running. Start one: holdfast agents start <agent>/<id>\n'
      : table(['instance', 'state', 'pool', 'thread', 'restarts', 'handled', 'mailbox'], rows),
  );
  return EXIT.ok;
}

export async function agentsStart(
  address: string,
  input: string | undefined,
  options: Options,
  terminal: Terminal,
): Promise<ExitCode> {
  const body = input === undefined ? {} : { input: json(input) };
  const found = await request(await gatewayOf(options, terminal), 'PUT', pathOf(address), body);
  const one = found as InstanceRow;
  const where = hasThread(one)
    ? `runs in thread ${one.thread} of ${one.threadId}`
    : 'exists, and has no thread yet';
  if (options.json === true) terminal.stdout.write(`${JSON.stringify(found)}\n`);
  else terminal.stdout.write(`${address} ${where}.\n`);
  return EXIT.ok;
}

export async function agentsSend(
  address: string,
  event: string,
  options: SendOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const query = options.activate === true ? '&activate=true' : '';
  const path = `${pathOf(address)}/events?wait=handled${query}`;
  await request(await gatewayOf(options, terminal), 'POST', path, eventOf(event));
  terminal.stdout.write(options.json === true ? '{"ok":true}\n' : `${address} has handled it.\n`);
  return EXIT.ok;
}

/** Prints the reply: JSON, or the text when it is one. */
export async function agentsAsk(
  address: string,
  event: string,
  options: SendOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { timeout } = options;
  if (
    timeout !== undefined &&
    !(/^\d+$/.test(timeout) && Number(timeout) >= 1 && Number(timeout) <= LONGEST_TIMER_MS)
  ) {
    throw new UsageError(`--timeout takes whole milliseconds from 1 to ${LONGEST_TIMER_MS}, not ${timeout}`);
  }
  const query = new URLSearchParams({
    ...(options.activate === true && { activate: 'true' }),
    ...(timeout !== undefined && { timeoutMs: timeout }),
  });
  const path = `${pathOf(address)}/ask?${query.toString()}`;
  const found = await request(await gatewayOf(options, terminal), 'POST', path, eventOf(event));
  const { reply } = found as { reply: unknown };
  const text = typeof reply === 'string' ? reply : JSON.stringify(reply, undefined, 2);
  terminal.stdout.write(`${options.json === true ? JSON.stringify(found) : text}\n`);
  return EXIT.ok;
}

export async function agentsStop(address: string, options: Options, terminal: Terminal): Promise<ExitCode> {
  await request(await gatewayOf(options, terminal), 'DELETE', pathOf(address));
  terminal.stdout.write(options.json === true ? '{"ok":true}\n' : `${address} has stopped.\n`);
  return EXIT.ok;
}

/** Begins anew with a quarantined instance. */
export async function agentsResume(address: string, options: Options, terminal: Terminal): Promise<ExitCode> {
  const path = `${pathOf(address)}/resume`;
  const found = (await request(await gatewayOf(options, terminal), 'POST', path)) as InstanceRow;
  const { threadId, incarnation } = found;
  const text = `${address} runs in ${threadId}, as its incarnation ${incarnation}.`;
  terminal.stdout.write(`${options.json === true ? JSON.stringify(found) : text}\n`);
  return EXIT.ok;
}

/** The state of an instance. */
export async function agentsInspect(
  address: string,
  options: Options,
  terminal: Terminal,
): Promise<ExitCode> {
  const found = await request(await gatewayOf(options, terminal), 'GET', `${pathOf(address)}/snapshot`);
  terminal.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
  return EXIT.ok;
}

/** An instance that waits for its restart, or is quarantined, has none. */
function hasThread({ thread }: InstanceRow): boolean {
  return typeof thread === 'number' && thread >= 0;
}

function threadOf(one: InstanceRow): string {
  return hasThread(one) ? String(one.thread) : '-';
}

/** `{"type":"tick","price":1}`, or `tick` alone. */
function eventOf(text: string): unknown {
  return text.trimStart().startsWith('{') ? json(text) : { type: text };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new GatewayError('BAD_REQUEST', `this is not valid JSON: ${text}`);
  }
}
