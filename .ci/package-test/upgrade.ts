import { deepStrictEqual as deepEqual } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, npm, pack, readManifest, root, temporary } from './place.ts';

const adder = { type: 'thread-bound', threadId: 'sums', maxThreads: 2 };
const trading = {
  type: 'thread-bound',
  threadId: 'trading-pool',
  maxThreads: 8,
  module: './agents/adder.ts',
};

/** Each step as the document has it, with a gateway that runs all the while and keeps the state of its agents. */
export function upgrade(): void {
  const app = join(temporary, 'upgraded');
  const installed = join(app, 'node_modules/holdfast');
  cpSync(folder, app, { recursive: true });
  const env = {
    ...process.env,
    XDG_STATE_HOME: join(temporary, 'state'),
    XDG_DATA_HOME: join(temporary, 'data'),
  };
  const bin = join(installed, readManifest(installed).bin.holdfast);
  const holdfast = (...args: string[]): string =>
    execFileSync(process.execPath, [bin, ...args], { cwd: app, encoding: 'utf8', env, timeout: 120_000 });
  const json = (...args: string[]): unknown => JSON.parse(holdfast(...args));
  const sumOf = (address: string): { sum: number; pool: string } => {
    const told = json('agents', 'ask', '--json', address, '{"type":"sum"}');
    return (told as { reply: { sum: number; pool: string } }).reply;
  };
  const config = (more: object): void =>
    writeFileSync(
      join(app, 'openclaw.json'),
      JSON.stringify({ agents: { adder }, gateway: { port: 0 }, ...more }),
    );

  config({});
  holdfast('gateway', 'start');
  try {
    holdfast('agents', 'start', 'adder/a');
    holdfast('agents', 'send', 'adder/a', '{"type":"add","n":41}');

    const { version } = readManifest(root);
    deepEqual(holdfast('status', '--version'), `${version}\n`);

    cpSync(join(app, 'openclaw.json'), join(app, 'openclaw.json.backup'));

    const next = join(temporary, 'next');
    cpSync(installed, next, { recursive: true });
    const newer = version.replace(/\d+$/, (patch) => String(Number(patch) + 1));
    writeFileSync(join(next, 'package.json'), JSON.stringify({ ...readManifest(next), version: newer }));
    npm(app, 'install', `../${pack(next).filename}`, '--no-audit', '--no-fund');
    deepEqual(holdfast('status', '--version'), `${newer}\n`);

    const externalSecrets = { provider: 'aws-secrets-manager', region: 'ap-east-1', cacheTTL: 300 };
    config({ externalSecrets, agents: { adder, 'trading-agent': trading } });
    deepEqual((json('config', 'validate', '--json') as { valid: boolean }).valid, true);

    holdfast('gateway', 'restart');
    type Status = { gateway: { version: string; serviceVersion: string } };
    const { gateway } = json('gateway', 'status', '--json') as Status;
    deepEqual([gateway.version, gateway.serviceVersion], [version, newer]);
    holdfast('agents', 'send', 'adder/a', '{"type":"add","n":1}');
    deepEqual(sumOf('adder/a').sum, 42);
    holdfast('agents', 'start', 'trading-agent/btc');
    deepEqual(sumOf('trading-agent/btc').pool, 'trading-pool');
  } finally {
    holdfast('gateway', 'stop');
  }
}
