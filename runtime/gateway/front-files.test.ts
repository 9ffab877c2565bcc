import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { testCertificate } from '../secrets/fixtures/test-certificate.ts';
import { gateway } from './fixtures/gateway.ts';
import type { FrontOptions } from './front.ts';
import { otherCertificate } from './fixtures/other-certificate.ts';

const [first, second] = [testCertificate, otherCertificate].map(
  ({ cert }) => new X509Certificate(cert).fingerprint256,
);

/** A gateway with https, beside whose config the files of its certificate are. */
async function secured(more: object = {}) {
  const told: (string | undefined)[] = [];
  const serves: FrontOptions['serves'] = ({ certificate }) => void told.push(certificate);
  const open = await gateway({ gateway: { port: 0, reload: false } }, { serves });
  const folder = dirname(open.front.status().config);
  const put = async (files: { readonly cert?: string; readonly key?: string }): Promise<void> => {
    if (files.cert !== undefined) await writeFile(join(folder, 'cert.pem'), files.cert);
    if (files.key !== undefined) await writeFile(join(folder, 'key.pem'), files.key);
  };
  await put(testCertificate);
  await open.write({ gateway: { port: 0, tls: { cert: 'cert.pem', key: 'key.pem' }, ...more } });
  expect(await open.front.reload()).toBe('restarted');
  /** The fingerprint that a new client is shown. */
  const served = async (): Promise<string | undefined> => {
    const socket = connect({ port: Number(new URL(open.front.url).port), rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const found = socket.getPeerX509Certificate()?.fingerprint256;
    socket.destroy();
    return found;
  };
  return { ...open, put, served, told };
}

const soon = { timeout: 60_000 };

test('a certificate that was renewed is served as soon as its files are there, by the same process', async () => {
  const { front, put, served, log } = await secured();
  const { servicePid } = front.status();
  expect([await served(), front.certificate]).toEqual([first, first]);
  await put({ cert: otherCertificate.cert });
  await expect
    .poll(() => front.status().configProblem, soon)
    .toContain('cert.pem and key.pem are not a certificate and its key');
  expect(log).toContain('the config is invalid; the last good one stays');
  expect(await served()).toBe(first);
  await put({ key: otherCertificate.key });
  await expect.poll(served, soon).toBe(second);
  await expect
    .poll(() => front.status(), soon)
    .toMatchObject({ servicePid, certificate: second, restarts: 1 });
  expect(front.status().configProblem).toBeUndefined();
});

test('a certificate that was renewed is taken by a reload, and told to those who look for the gateway', async () => {
  const { front, put, served, told } = await secured({ reload: false });
  await put(otherCertificate);
  expect(await served()).toBe(first);
  expect(await front.reload()).toBe('applied');
  expect([await served(), front.certificate]).toEqual([second, second]);
  expect(await front.reload()).toBe('nothing');
  await put({ key: testCertificate.key });
  await expect(front.reload()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(front.restart()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect(await served()).toBe(second);
  expect(told).toEqual([undefined, first, second]);
});

test('what an invalid config names is followed, too: when it is mended, that is noticed', async () => {
  const { front, write, call } = await gateway();
  const folder = dirname(front.status().config);
  const counter = { type: 'thread-bound', threadId: 'pool', maxThreads: 3 };
  const problem = () => front.status().configProblem;
  const threads = async (): Promise<unknown> =>
    ((await call('GET', '/v1/status')).body as { pools: { maxThreads: number }[] }).pools[0]?.maxThreads;

  // A file that is not there yet.
  await write({ agents: { counter: { $include: './parts/counter.json5' } } });
  await expect.poll(problem, soon).toContain('no such file');
  await mkdir(join(folder, 'parts'));
  // One that is half written, and names a module that is not there.
  await writeFile(join(folder, 'parts', 'counter.json5'), '{');
  await expect.poll(problem, soon).toContain('is not closed');
  await writeFile(join(folder, 'parts', 'counter.json5'), JSON.stringify(counter));
  await expect.poll(problem, soon).toContain('module of agent "counter" not found');
  await mkdir(join(folder, 'agents'));
  await writeFile(
    join(folder, 'agents', 'counter.mjs'),
    `export { default } from ${JSON.stringify(import.meta.resolve('../fixtures/counter.ts'))};`,
  );
  await expect.poll(threads, soon).toBe(3);
  expect(problem()).toBeUndefined();
});

test('a config whose folder cannot be watched is served all the same', async () => {
  const { front, write, log } = await gateway();
  const folder = dirname(front.status().config);
  await write({ agents: { counter: { $include: './parts/counter.json5' } } });
  await expect
    .poll(() => log, soon)
    .toContain('a folder of the config cannot be watched; its files are checked every 2 s');
  expect(front.status()).toMatchObject({ config: join(folder, 'openclaw.json'), restarts: 0 });
  await expect(front.restart()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

test('what is saved while a gateway starts takes effect when it has', async () => {
  let isSaved = false;
  const serves: FrontOptions['serves'] = (front) => {
    if (isSaved) return;
    isSaved = true;
    const { config } = front.status();
    const text = readFileSync(config, 'utf8');
    writeFileSync(config, text.replace('"maxThreads":2', '"maxThreads":3'));
  };
  const { call } = await gateway({}, { serves });
  const most = async (): Promise<unknown> =>
    ((await call('GET', '/v1/status')).body as { pools: { maxThreads: number }[] }).pools[0]?.maxThreads;
  await expect.poll(most, soon).toBe(3);
  expect(isSaved).toBe(true);
});
