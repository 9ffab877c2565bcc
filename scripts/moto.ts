// The AWS provider against moto_server, where that is installed (pip install 'moto[server]'): npm run test:moto
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const root = new URL('../', import.meta.url);
/** Milliseconds: Python imports for some seconds on a cold disk. */
const startMs = 60_000;

if (spawnSync('moto_server', ['--help'], { stdio: 'ignore' }).status !== 0) {
  console.log("skipped: moto_server is not installed; pip install 'moto[server]' has it");
  process.exit(0);
}
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const server = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
server.on('error', (error) => console.error(error));
let status: number | null = 1;
try {
  await answers();
  const test = spawn(
    process.execPath,
    ['-C', 'holdfast-source', '--test', '--test-timeout=60000', 'providers/fixtures/aws-with-moto.ts'],
    { cwd: root, stdio: 'inherit', env: { ...process.env, MOTO_URL: url } },
  );
  [status] = (await once(test, 'exit')) as [number | null];
} finally {
  server.kill('SIGKILL');
}
process.exit(status ?? 1);

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function answers(): Promise<void> {
  const until = performance.now() + startMs;
  while (performance.now() < until && server.exitCode === null) {
    const isUp = await fetch(`${url}/moto-api/`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) return;
    await sleep(100);
  }
  throw new Error(`moto_server did not answer on ${url} within ${startMs / 1000} s`);
}
