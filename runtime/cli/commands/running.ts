import { shownText } from '../../base/shown-text.ts';
import type { DeadLetter, NodeFigures, RuntimeStatus } from '../../runtime.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { gatewayOf, type GatewayOptions, request } from '../gateway-client.ts';
import { counted, paint, table, type Terminal } from '../terminal.ts';

interface Options extends GatewayOptions {
  readonly json?: boolean;
}

const MIB = 1024 * 1024;

/** The threads of the gateway, by pool. */
export async function threads(options: Options, terminal: Terminal): Promise<ExitCode> {
  const { pools } = (await request(await gatewayOf(options, terminal), 'GET', '/v1/status')) as RuntimeStatus;
  if (options.json === true) {
    terminal.stdout.write(`${JSON.stringify({ pools }, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const colour = paint(terminal);
  const rows = pools.flatMap(({ threadId, maxThreads, threads: alive, health, waiting }) => {
    const verdict = health === 'open' ? health : colour('red', health);
    const pool = [
      colour('cyan', threadId),
      `${alive.length}/${maxThreads}`,
      verdict,
      waiting > 0 ? `${waiting} wait` : '',
    ];
    const own = alive.map(({ thread, state, instances, utilization, heapUsed }) => [
      `  thread ${thread < 0 ? '-' : thread}`,
      '',
      state,
      counted(instances, 'instance'),
      utilization === undefined ? '' : `${Math.round(utilization * 100)} %`,
      heapUsed === undefined ? '' : `${Math.round(heapUsed / MIB)} MiB`,
    ]);
    return [pool].concat(own);
  });
  terminal.stdout.write(table(['pool', 'threads', 'state', '', 'busy', 'heap'], rows));
  return EXIT.ok;
}

/** The nodes of the cluster of a gateway, as its own node sees them. */
export async function clusterNodes(options: Options, terminal: Terminal): Promise<ExitCode> {
  const { stdout } = terminal;
  const gateway = await gatewayOf(options, terminal);
  const { cluster } = (await request(gateway, 'GET', '/v1/status')) as RuntimeStatus;
  if (options.json === true) stdout.write(`${JSON.stringify({ cluster: cluster ?? null }, undefined, 2)}\n`);
  else if (cluster === undefined) stdout.write('This gateway is alone: its config has no cluster.\n');
  else {
    const colour = paint(terminal);
    const rows = cluster.nodes.map(({ node, at, partitions, reachable, why = '' }) => [
      `${node}${node === cluster.node ? ' (this)' : ''}`,
      colour('cyan', at),
      String(partitions),
      reachable ? 'reached' : colour('red', 'not reached'),
      why,
    ]);
    stdout.write(table(['node', 'at', 'partitions', 'state', ''], rows));
  }
  return cluster?.nodes.every(({ reachable }) => reachable) === false ? EXIT.failed : EXIT.ok;
}

/** All nodes of the cluster of a gateway, each with what it says of itself, and the sums. */
export async function clusterStatus(options: Options, terminal: Terminal): Promise<ExitCode> {
  const { stdout } = terminal;
  const found = await request(await gatewayOf(options, terminal), 'GET', '/v1/cluster');
  const { nodes } = found as { readonly nodes: readonly NodeFigures[] };
  if (options.json === true) stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
  else if (nodes.length === 0) stdout.write('This gateway is alone: its config has no cluster.\n');
  else {
    const colour = paint(terminal);
    const counts = nodes.map(({ partitions, figures }) => [partitions, ...countsOf(figures)]);
    const rows = nodes.map(({ node, at, figures, why = '' }, n) => [
      String(node),
      colour('cyan', at),
      figures?.state ?? colour('red', 'not reached'),
      figures?.version ?? '',
      ...(counts[n] ?? []).map((count, c) => (figures === undefined && c > 0 ? '' : String(count))),
      why,
    ]);
    const sums = (counts[0] ?? []).map((_count, c) =>
      String(counts.reduce((sum, own) => sum + (own[c] ?? 0), 0)),
    );
    const headings = ['partitions', 'instances', 'wait', 'handled', 'dead letters'];
    const all = colour('bold', 'all');
    stdout.write(
      table(['node', 'at', 'state', 'version', ...headings, ''], [...rows, [all, '', '', '', ...sums]]),
    );
  }
  return nodes.every(({ figures }) => figures !== undefined) ? EXIT.ok : EXIT.failed;
}

/** Instances, events that wait, events that were handled, and dead letters. */
function countsOf(figures: NodeFigures['figures']): number[] {
  const agents = figures?.agents ?? [];
  const sum = (amount: (agent: (typeof agents)[number]) => number): number =>
    agents.reduce((total, agent) => total + amount(agent), 0);
  const instances = sum(({ states }) => Object.values(states).reduce((total, count) => total + count, 0));
  return [instances, sum(({ mailbox }) => mailbox), sum(({ handled }) => handled), figures?.deadLetters ?? 0];
}

/** Events that were not handled. */
export async function deadLettersList(options: Options, terminal: Terminal): Promise<ExitCode> {
  const { stdout } = terminal;
  const found = await request(await gatewayOf(options, terminal), 'GET', '/v1/dead-letters');
  const { deadLetters } = found as { deadLetters: DeadLetter[] };
  if (options.json === true) stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
  else if (deadLetters.length === 0) stdout.write('There are no dead letters.\n');
  else {
    const colour = paint(terminal);
    const rows = deadLetters.map(({ id, at, address, reason, event, replays }) => [
      id,
      new Date(at).toISOString(),
      colour('cyan', address),
      colour('yellow', reason),
      (event as { type?: string } | undefined)?.type ?? '',
      String(replays),
    ]);
    stdout.write(table(['id', 'at', 'to', 'reason', 'event', 'replays'], rows));
  }
  return EXIT.ok;
}

export async function deadLettersReplay(id: string, options: Options, terminal: Terminal): Promise<ExitCode> {
  const path = `/v1/dead-letters/${encodeURIComponent(id)}/replay`;
  await request(await gatewayOf(options, terminal), 'POST', path);
  terminal.stdout.write(options.json === true ? '{"ok":true}\n' : `${id} was handled.\n`);
  return EXIT.ok;
}

/** The secrets of the gateway: versions and ages, never values. */
export async function secretsList(options: Options, terminal: Terminal): Promise<ExitCode> {
  const { secrets } = (await request(
    await gatewayOf(options, terminal),
    'GET',
    '/v1/status',
  )) as RuntimeStatus;
  if (options.json === true) {
    terminal.stdout.write(`${JSON.stringify({ secrets }, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const colour = paint(terminal);
  const rows = secrets.map(({ provider, id, state, versionId = '', ageMs, holders }) => [
    provider,
    colour('cyan', id),
    state === 'fresh' ? state : colour('yellow', state),
    versionId.slice(0, 12),
    ageMs === undefined ? '' : `${Math.round(ageMs / 1000)} s`,
    String(holders),
  ]);
  terminal.stdout.write(
    rows.length === 0
      ? 'No agent is granted a secret.\n'
      : table(['provider', 'secret', 'state', 'version', 'age', 'holders'], rows),
  );
  return EXIT.ok;
}

/** Looks at one secret now, or at all of them: after a rotation by hand. */
export async function secretsReload(
  id: string | undefined,
  options: Options,
  terminal: Terminal,
): Promise<ExitCode> {
  const gateway = await gatewayOf(options, terminal);
  const { secrets } = (await request(gateway, 'GET', '/v1/status')) as RuntimeStatus;
  const wanted = secrets.filter((one) => id === undefined || one.id === id);
  const failed: { id: string; message: string }[] = [];
  const asked = id !== undefined && wanted.length === 0 ? [{ id, provider: 'default' }] : wanted;
  for (const one of asked) {
    await request(gateway, 'POST', '/v1/secrets/refresh', { id: one.id, provider: one.provider }).catch(
      (error: unknown) => failed.push({ id: one.id, message: (error as Error).message }),
    );
  }
  const warningCount = failed.length;
  if (options.json === true) {
    terminal.stdout.write(`${JSON.stringify({ ok: warningCount === 0, warningCount, failed })}\n`);
  } else {
    for (const { id: secret, message } of failed)
      terminal.stdout.write(`! ${shownText(`${secret}: ${message}`)}\n`);
    terminal.stdout.write(
      warningCount === 0 ? 'Secrets reloaded.\n' : `Secrets reloaded with ${warningCount} warning(s).\n`,
    );
  }
  return warningCount === 0 ? EXIT.ok : EXIT.failed;
}

/** A link to the page that shows all actors. */
export async function inspect(options: Options, terminal: Terminal): Promise<ExitCode> {
  const found = await request(await gatewayOf(options, terminal), 'POST', '/v1/inspector');
  const { link } = found as { link: string };
  terminal.stdout.write(
    options.json === true ? `${JSON.stringify(found)}\n` : `Works once, in the next 10 minutes:\n${link}\n`,
  );
  return EXIT.ok;
}
