import { kill } from 'node:process';
import type { Server } from '../../runtime/store/postgres/fixtures/server.ts';
import type { Chance } from '../soak/chance.ts';
import type { Clients } from './clients.ts';
import { isShared, type NodeProcess, until } from './nodes.ts';

/** What a fault has at hand. */
export interface Field {
  readonly server: Server;
  readonly chance: Chance;
  readonly nodes: NodeProcess[];
  readonly clients: Clients;
  /** Starts a node more. */
  join(): Promise<NodeProcess>;
  /** Those that clients ask no more, as a load balancer that was told. */
  readonly drained: Set<NodeProcess>;
}

/** Does it and mends it; resolves with what shows that it was there, and what was wrong beside the histories. */
export type Fault = (field: Field) => Promise<{ readonly shown: string; readonly wrong?: string[] }>;

const ms = (time: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time));

async function cutOff(field: Field, from: 'peers' | 'database', time: number): ReturnType<Fault> {
  const { nodes, chance } = field;
  const victim = chance.of(nodes);
  const others = nodes.filter((one) => one !== victim);
  const wires = from === 'database' ? [victim.database] : nodes.map(({ peers }) => peers);
  const before = wires.reduce((sum, { held }) => sum + held, 0);
  if (from === 'database') victim.database.cut();
  else {
    victim.peers.cut();
    for (const { peers } of others) peers.cut((at) => at === victim.from);
  }
  await ms(time);
  for (const wire of wires) wire.mend();
  const held = wires.reduce((sum, wire) => sum + wire.held, 0) - before;
  return { shown: `${held} stopped`, wrong: held > 0 ? [] : ['nothing was stopped by the cut'] };
}

export const faults: Readonly<Record<string, Fault>> = {
  async kill(field) {
    const victim = field.chance.of(field.nodes);
    const by = await victim.end('SIGKILL');
    field.nodes.splice(field.nodes.indexOf(victim), 1);
    await until('the others have all', () => isShared(field.nodes));
    await field.join();
    return { shown: by, wrong: by === 'SIGKILL' ? [] : [`it ended with ${by}`] };
  },

  async freeze({ nodes, chance }) {
    const victim = chance.of(nodes);
    victim.child.kill('SIGSTOP');
    await ms(6000);
    const { state } = victim;
    await ms(6000);
    victim.child.kill('SIGCONT');
    return { shown: `state ${state}`, wrong: state === 'T' ? [] : [`it was ${state}`] };
  },

  'cut from peers': (field) => cutOff(field, 'peers', 12_000),

  'cut from postgres': (field) => cutOff(field, 'database', 12_000),

  async postgres({ server }) {
    const boot = (): string => server.sql('select pg_postmaster_start_time()');
    const before = boot();
    await server.stop('immediate');
    await ms(2000);
    await server.start();
    return { shown: 'restarted', wrong: boot() === before ? ['it was not restarted'] : [] };
  },

  async rolling(field) {
    const ends: string[] = [];
    for (const leaving of field.nodes.slice()) {
      field.drained.add(leaving);
      // Those that are asked already are answered.
      await ms(500);
      const errors = (): number => [...field.clients.errors.values()].reduce((sum, one) => sum + one, 0);
      const before = errors();
      const since = performance.now();
      const how = await leaving.end('SIGTERM');
      ends.push(`${how} ${Math.round(performance.now() - since)} ms ${errors() - before} errors`);
      field.nodes.splice(field.nodes.indexOf(leaving), 1);
      await field.join();
      await until('the new one has its share', () => isShared(field.nodes));
    }
    const codes = ends.filter((one) => !one.startsWith('0 '));
    return { shown: ends.join('; '), wrong: codes.map((one) => `a node that was stopped ended with ${one}`) };
  },

  async join(field) {
    const before = field.nodes.length;
    const one = await field.join();
    await until('the new one has its share', () => isShared(field.nodes));
    const share = one.shares[one.node];
    await one.end('SIGTERM');
    field.nodes.splice(field.nodes.indexOf(one), 1);
    return { shown: `${share} of 64 for number ${before + 1}` };
  },

  async 'slow locks'({ server, nodes }) {
    const pids = server
      .sql("select distinct pid from pg_locks where locktype = 'advisory' and objsubid = 2")
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);
    const epochs = (): string =>
      server.sql("select string_agg(epoch::text, ',' order by part) from cluster.partitions");
    const before = epochs();
    for (const pid of pids) kill(pid, 'SIGSTOP');
    await ms(3000);
    for (const pid of pids) kill(pid, 'SIGCONT');
    await ms(4000);
    const wrong =
      pids.length === nodes.length ? [] : [`${pids.length} sessions with locks, of ${nodes.length} nodes`];
    if (epochs() !== before) wrong.push('partitions were taken though no node was lost');
    return { shown: `${pids.length} sessions stopped`, wrong };
  },
};
