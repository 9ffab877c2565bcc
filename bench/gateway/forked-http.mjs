// A process for each agent that serves HTTP, as a container for each would, and a reverse proxy in front of them.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ready } from './serve.mjs';

const child = new URL('./forked-http-child.mjs', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
const agents = new Map();
const pids = [process.pid];
for (const [n, address] of process.argv.slice(2).entries()) {
  const socketPath = join(folder, String(n));
  const forked = fork(child, [socketPath]);
  pids.push(forked.pid);
  agents.set(address, {
    socketPath,
    agent: new Agent({ keepAlive: true }),
    isReady: once(forked, 'message'),
  });
}
for (const { isReady } of agents.values()) await isReady;

const server = createServer((request, response) => {
  const [, , , agent, id] = request.url.split('/');
  const { isReady: _, ...to } = agents.get(`${agent}/${id}`);
  const { url: path, method, headers } = request;
  const passed = httpRequest({ ...to, path, method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  request.pipe(passed);
});
server.listen(0, '127.0.0.1', () => ready(server, pids));
process.once('SIGTERM', () => {
  rmSync(folder, { recursive: true });
  process.exit();
});
