import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ask } from './suites/ask.ts';
import { boundFetch } from './suites/bound-fetch.ts';
import { askStream } from './suites/ask-stream.ts';
import { durable } from './suites/durable.ts';
import { durablePeersSuite } from './suites/durable-peers.ts';
import { faults } from './suites/faults.ts';
import { flood } from './suites/flood.ts';
import { gateway } from './suites/gateway.ts';
import { describeMachine } from './lib/machine-info.ts';
import { inspect } from './suites/inspect.ts';
import { machine } from './suites/machines-against-plain.ts';
import { mcp } from './suites/mcp.ts';
import { neighbour } from './suites/neighbour.ts';
import { oneWay } from './suites/one-way.ts';
import type { Run } from './report.ts';
import { Results } from './lib/results.ts';
import { savina } from './suites/savina.ts';
import { scaling } from './suites/scaling.ts';
import { scrubber } from './suites/scrubber.ts';
import { secrets } from './suites/secrets.ts';
import { start } from './suites/start.ts';
import { telemetry } from './suites/telemetry.ts';

type Suite = (results: Results, rounds: number) => Promise<void>;

const suites: Readonly<Record<string, Suite>> = {
  'one-way': oneWay,
  ask,
  'ask-stream': askStream,
  savina,
  start,
  neighbour,
  durable,
  faults,
  scaling,
  secrets,
  scrubber,
  'bound-fetch': boundFetch,
  inspect,
  telemetry,
  gateway,
  mcp,
  machine,
};

const usage = `npm run bench -- [suite …] [--rounds n] [--json file]
suites: ${Object.keys(suites).join(', ')}; all of them when none is named
       flood [--minutes n] and durable-peers, which are not among all of them`;

// What a suite has started ends with this process, however that ends.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => process.exit(code));
}

// Not all peers let go of the process when they are stopped.
process.exit(await main());

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '7' },
      json: { type: 'string' },
      minutes: { type: 'string', default: '2' },
    },
  });
  const rounds = Number(values.rounds);
  const known: typeof suites = {
    ...suites,
    flood: (results) => flood(results, Number(values.minutes)),
    'durable-peers': durablePeersSuite,
  };
  const unknown = positionals.find((name) => known[name] === undefined);
  if (unknown !== undefined || !Number.isInteger(rounds) || rounds < 1) {
    console.error(
      unknown === undefined ? `--rounds ${values.rounds} is no number of rounds` : `no suite "${unknown}"`,
    );
    console.error(usage);
    return 2;
  }
  const machine = describeMachine();
  console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.os}, Node ${machine.node}`);
  const results = new Results();
  const chosen = positionals.length > 0 ? positionals : Object.keys(suites);
  for (const name of chosen) await (known[name] as Suite)(results, rounds);
  if (values.json !== undefined) {
    const { tables, gates, notes } = results;
    const packages = { ...machine.packages, ...results.packages };
    const run: Run = { machine: { ...machine, packages }, rounds, suites: chosen, tables, gates, notes };
    writeFileSync(values.json, `${JSON.stringify(run, null, 2)}\n`);
  }
  console.log('');
  for (const { text, value, passed } of results.gates) {
    console.log(`gate: ${text}: ${value.toFixed(2)} ${passed ? 'passed' : 'FAILED'}`);
  }
  return results.passed ? 0 : 1;
}
