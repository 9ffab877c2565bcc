// npm run soak:cluster [-- --rounds 20] [--seed n]; FAULT=freeze for one kind alone
import { hasPostgres, startServer } from '../../runtime/store/postgres/fixtures/server.ts';
import { chanceOf } from '../soak/chance.ts';
import { soakCommand } from '../soak/soak-command.ts';
import { Clients } from './clients.ts';
import { type Fault, faults } from './faults.ts';
import { isShared, NodeProcess, until } from './nodes.ts';

/** Milliseconds of load before a fault, and after it. */
const LOAD_MS = 2000;

const only = process.env['FAULT'];
const names = Object.keys(faults).filter((name) => only === undefined || name === only);

if (!hasPostgres || process.platform !== 'linux') {
  console.error('npm run soak:cluster needs Linux, and PostgreSQL: node .ci/postgres.mjs');
  process.exit(2);
}
process.exit(
  await soakCommand({
    script: 'soak:cluster',
    what: `three nodes with ${names.join(', ')}`,
    amounts: { rounds: 1 },
    soaked: (_folder, { rounds }, seed) => soaked(rounds, seed),
  }),
);

async function soaked(rounds: number, seed: number): Promise<string[]> {
  const chance = chanceOf(seed);
  const server = await startServer();
  const nodes: NodeProcess[] = [];
  const drained = new Set<NodeProcess>();
  const all = new Set<NodeProcess>();
  let places = 0;
  const join = async (): Promise<NodeProcess> => {
    const node = await NodeProcess.start(server, places++);
    nodes.push(node);
    all.add(node);
    return node;
  };
  const longest = new Map<string, number>();
  const wrong: string[] = [];
  try {
    for (let i = 0; i < 3; i++) await join();
    for (let round = 1; round <= rounds && wrong.length === 0; round++)
      for (const name of shuffled(names, chance.next)) {
        await until(`three nodes share all before ${name}`, () => isShared(nodes));
        const clients = new Clients({
          name: `${round}-${name.replaceAll(' ', '-')}`,
          chance: chance.fork(),
          nodes: () => nodes.filter((node) => !drained.has(node)),
        });
        clients.start();
        await until('each address has answered once', () => clients.haveAllAnswered);
        await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
        const calm = clients.longestWait();
        const { shown, wrong: beside = [] } = await (faults[name] as Fault)({
          server,
          chance: chance.fork(),
          nodes,
          clients,
          join,
          drained,
        });
        await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
        const wait = clients.longestWait();
        const found = [...(await clients.stop()), ...beside];
        longest.set(name, Math.max(longest.get(name) ?? 0, wait));
        console.log(
          `${round} ${name.padEnd(18)} ${`${clients.answers}`.padStart(6)} answers, ${clients.unknown} unknown, longest wait ` +
            `${(wait / 1000).toFixed(1)} s (calm ${(calm / 1000).toFixed(1)}), wrong ${found.length}; ${shown}; ${JSON.stringify(Object.fromEntries(clients.errors))}`,
        );
        wrong.push(...found.map((one) => `${name}: ${one}`));
      }
    console.log('longest wait of one address:');
    for (const [name, time] of longest) console.log(`  ${name.padEnd(18)} ${(time / 1000).toFixed(1)} s`);
    return wrong;
  } finally {
    for (const node of all) node.child.kill('SIGKILL');
    await server.remove();
  }
}

function shuffled<T>(list: readonly T[], next: () => number): T[] {
  return list
    .map((one) => ({ one, at: next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ one }) => one);
}
