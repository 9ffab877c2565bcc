import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { houseCells, houseHead, houseLines, houseParts, type Suite } from './house.ts';
import { besideRef, type Beside, type SideMessage } from './beside.ts';
import { describeMachine } from './lib/machine-info.ts';
import type { Run } from './report.ts';
import { printCells, Results } from './lib/results.ts';
import { leaveOutPeers, selectPart, selectRows } from './lib/selection.ts';
import { nextSuite } from './lib/turns.ts';

/** Loaded when it runs: a build that is compared with this one need not have what the other suites are about. */
const suites: Readonly<Record<string, () => Promise<Suite>>> = {
  'one-way': async () => (await import('./suites/one-way.ts')).oneWay,
  ask: async () => (await import('./suites/ask.ts')).ask,
  'ask-stream': async () => (await import('./suites/ask-stream.ts')).askStream,
  savina: async () => (await import('./suites/savina.ts')).savina,
  start: async () => (await import('./suites/start.ts')).start,
  'one-of-many': async () => (await import('./suites/one-of-many.ts')).oneOfMany,
  spawn: async () => (await import('./suites/spawn.ts')).spawn,
  neighbour: async () => (await import('./suites/neighbour.ts')).neighbour,
  durable: async () => (await import('./suites/durable.ts')).durable,
  wakes: async () => (await import('./suites/wakes.ts')).wakes,
  faults: async () => (await import('./suites/faults.ts')).faults,
  scaling: async () => (await import('./suites/scaling.ts')).scaling,
  secrets: async () => (await import('./suites/secrets.ts')).secrets,
  scrubber: async () => (await import('./suites/scrubber.ts')).scrubber,
  'bound-fetch': async () => (await import('./suites/bound-fetch.ts')).boundFetch,
  inspect: async () => (await import('./suites/inspect.ts')).inspect,
  telemetry: async () => (await import('./suites/telemetry.ts')).telemetry,
  gateway: async () => (await import('./suites/gateway.ts')).gateway,
  mcp: async () => (await import('./suites/mcp.ts')).mcp,
  machine: async () => (await import('./suites/machines-against-plain.ts')).machine,
};

/** Before the name of a part of the house. */
const HOUSE_PART = 'house:';

const usage = `npm run bench -- [suite …] [--rounds n] [--rows pattern] [--beside git-ref] [--json file]
suites: ${Object.keys(suites).join(', ')}; all of them when none is named
       flood [--minutes n], inspect-crowd [--minutes n] and durable-peers, which are not among all of them
       house, or parts of it: ${Object.keys(houseParts)
         .map((part) => HOUSE_PART + part)
         .join(', ')}`;

// What a suite has started ends with this process, however that ends.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => process.exit(code));
}

/** Which of two builds this process measures, if it is one of a run with `--beside`. */
const side = process.env['HOLDFAST_BENCH_SIDE'];

// Not all peers let go of the process when they are stopped.
process.exit(await main());

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '7' },
      rows: { type: 'string' },
      beside: { type: 'string' },
      json: { type: 'string' },
      minutes: { type: 'string', default: '2' },
    },
  });
  const rounds = Number(values.rounds);
  const known: typeof suites = {
    ...suites,
    ...Object.fromEntries(
      Object.keys(houseParts).map((part) => [HOUSE_PART + part, () => Promise.resolve(housePart(part))]),
    ),
    flood: async () => {
      const { flood } = await import('./suites/flood.ts');
      return (results) => flood(results, Number(values.minutes));
    },
    'inspect-crowd': async () => {
      const { inspectCrowd } = await import('./suites/inspect-crowd.ts');
      return (results, rounds) => inspectCrowd(results, rounds, Number(values.minutes));
    },
    'durable-peers': async () => (await import('./suites/durable-peers.ts')).durablePeersSuite,
  };
  const named = positionals.flatMap((name) =>
    name === 'house' ? Object.keys(houseParts).map((part) => HOUSE_PART + part) : [name],
  );
  const unknown = named.find((name) => known[name] === undefined);
  if (unknown !== undefined || !Number.isInteger(rounds) || rounds < 1) {
    console.error(
      unknown === undefined ? `--rounds ${values.rounds} is no number of rounds` : `no suite "${unknown}"`,
    );
    console.error(usage);
    return 2;
  }
  if (values.rows !== undefined) selectRows(values.rows);
  const chosen = named.length > 0 ? named : Object.keys(suites);
  const isHouse = chosen.some((name) => name.startsWith(HOUSE_PART));
  if (isHouse) leaveOutPeers();
  if (side !== undefined) return oneSide(chosen, known, rounds);
  const machine = describeMachine();
  console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.os}, Node ${machine.node}`);
  const results = new Results();
  let beside: Beside | undefined;
  if (values.beside === undefined) for (const name of chosen) await run(known, name, results, rounds);
  else {
    const rows = values.rows === undefined ? [] : ['--rows', values.rows];
    beside = await besideRef(values.beside, [...chosen, '--rounds', String(rounds), ...rows]);
  }
  const found = beside?.found.this ?? results;
  const { tables, gates, notes } = found;
  const house = isHouse ? houseLines(found, beside?.found.ref) : [];
  if (values.json !== undefined) {
    const packages = { ...machine.packages, ...results.packages };
    const run: Run = {
      machine: { ...machine, packages },
      rounds,
      suites: chosen,
      tables,
      gates,
      notes,
      ...(house.length > 0 && { house }),
      ...(beside !== undefined && { beside: { ...beside.ref, ...beside.found.ref } }),
    };
    writeFileSync(values.json, `${JSON.stringify(run, null, 2)}\n`);
  }
  console.log('');
  for (const { text, value, passed } of gates) {
    const there = beside?.found.ref.gates.find((gate) => gate.text === text);
    const then = there === undefined ? '' : ` (there ${there.value.toFixed(2)})`;
    console.log(`gate: ${text}: ${value.toFixed(2)}${then} ${passed ? 'passed' : 'FAILED'}`);
  }
  for (const { suite, text, value } of beside?.found.this.notes ?? []) {
    const there = beside?.found.ref.notes.find((note) => note.suite === suite && note.text === text);
    console.log(
      `      ${text}: ${value.toFixed(2)}${there === undefined ? '' : ` (there ${there.value.toFixed(2)})`}`,
    );
  }
  if (house.length > 0) {
    console.log('');
    printCells([[...houseHead], ...house.map(houseCells)]);
  }
  return gates.every(({ passed }) => passed) ? 0 : 1;
}

async function run(known: typeof suites, name: string, results: Results, rounds: number): Promise<void> {
  nextSuite();
  const suite = await (known[name] as () => Promise<Suite>)();
  await suite(results, rounds);
}

/** Its suites are one after the other, each with its own rows. */
function housePart(name: string): Suite {
  return async (results, rounds) => {
    const failed: unknown[] = [];
    for (const { suite, rows } of houseParts[name] ?? []) {
      nextSuite();
      selectPart(rows);
      try {
        await (
          await suite()
        )(results, rounds);
      } catch (error) {
        // What a build lacks for one of them, it may have for the next.
        failed.push(error);
      }
      selectPart();
    }
    if (failed.length > 0) throw failed[0];
  };
}

/** One of two builds: what it finds goes to the process that compares them. A suite that it cannot run is left out. */
async function oneSide(chosen: readonly string[], known: typeof suites, rounds: number): Promise<number> {
  const tell = (message: SideMessage): Promise<void> =>
    new Promise((resolve) => void process.send?.(message, undefined, undefined, () => resolve()));
  const results = new Results((table) => void tell({ table }));
  for (const suite of chosen) {
    try {
      await run(known, suite, results, rounds);
    } catch (error) {
      await tell({ suite, failed: error instanceof Error ? error.message : String(error) });
    }
  }
  const { tables, gates, notes } = results;
  await tell({ found: { tables, gates, notes } });
  return 0;
}
