import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { InjectRules } from '../../config/resolve.ts';
import { follow, type Outgoing } from './follow.ts';
import { openRoute } from './route.ts';

test('requests beyond the connections of a grant wait in their order; what was given up is kept no longer, and all of it is bounded, in time as well', async () => {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    response.write('begun');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const rules = { privateAddresses: [] as readonly string[] } as InjectRules;
  const route = await openRoute(rules, { now: () => Date.now() });
  onTestFinished(async () => {
    await route.agent.destroy();
    server.closeAllConnections();
    server.close();
  });
  const ask = (
    path: string,
    signal: AbortSignal,
    body?: Uint8Array,
    idleTimeoutMs = 0,
  ): ReturnType<typeof follow> => {
    const url = new URL(path, `http://127.0.0.1:${port}`);
    const request: Outgoing = {
      url,
      method: 'POST',
      headers: {},
      body,
      redirect: 'follow',
      idleTimeoutMs,
    };
    return follow(route, request, rules, signal);
  };
  const first = new AbortController();
  const open = [ask('/first', first.signal)];
  const rest = new AbortController();
  for (let n = 1; n < 256; n++) open.push(ask('/busy', rest.signal));
  await Promise.all(open);

  const mebibytes = new Uint8Array(8 * 1024 * 1024 - 1024);
  for (let n = 0; n < 100; n++) {
    const ending = new AbortController();
    const given = ask('/given', ending.signal, mebibytes);
    ending.abort(new Error('given up'));
    await expect(given).rejects.toThrow('given up');
  }
  const held = Object.values(route.agent.stats).map((stats) => (stats as { queued?: number }).queued ?? 0);
  expect(held).toEqual([0]);

  const waiting = Array.from({ length: 8 }, () =>
    ask('/waiting', rest.signal, mebibytes).catch(() => 'ended'),
  );
  await expect(ask('/more', rest.signal, mebibytes)).rejects.toMatchObject({ code: 'SECRET_RATE_LIMITED' });
  first.abort(new Error('over'));
  await expect(waiting[0]).resolves.toMatchObject({ status: 200 });
  expect(asked.filter((path) => path !== '/busy')).toEqual(['/first', '/waiting']);

  const late = ask('/late', rest.signal, undefined, 50);
  await expect(late).rejects.toMatchObject({
    code: 'FETCH_FAILED',
    message: expect.stringContaining('no connection was free for 50 ms') as string,
  });
  rest.abort(new Error('over'));
  await Promise.all(waiting);
});
