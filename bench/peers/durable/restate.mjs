// A counter for each key as a virtual object of Restate, called through the ingress of the server by its own client. The service
// is a process of its own, as Restate has it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { fileURLToPath } from 'node:url';
import * as clients from '@restatedev/restate-sdk-clients';

const require = createRequire(import.meta.url);

/** The server itself: the command of the package is a process around it. */
export const binary = () =>
  require.resolve(`@restatedev/restate-server-${platform()}-${arch()}/bin/restate-server`);

export const start = async ({ ingress, admin, keys }) => {
  const service = fork(fileURLToPath(new URL('restate-service.mjs', import.meta.url)), {
    env: { ...process.env, NODE_ENV: 'production', RESTATE_LOGGING: 'ERROR' },
  });
  const [port] = await once(service, 'message');
  const registered = await fetch(`${admin}/deployments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ uri: `http://127.0.0.1:${port}` }),
  });
  if (!registered.ok) throw new Error(`Restate refused the service: ${await registered.text()}`);
  const client = clients.connect({ url: ingress });
  const counters = Array.from({ length: keys }, (_, key) =>
    client.objectClient({ name: 'counter' }, `${key}`),
  );
  return {
    add: (key) => counters[key].add(),
    totals: () => Promise.all(counters.map((counter) => counter.read())),
    stop: async () => {
      service.kill();
      await once(service, 'exit');
    },
  };
};
