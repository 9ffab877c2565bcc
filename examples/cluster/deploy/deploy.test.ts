import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const read = (name: string) => readFile(new URL(name, import.meta.url), 'utf8');
/** Seconds that the runtime has to stop, and then some. */
const STOP_SECONDS = 15 + 10;

test.each([
  ['holdfast-node@.service', /TimeoutStopSec=(\d+)/],
  ['compose.yaml', /stop_grace_period: (\d+)s/],
  ['kubernetes.yaml', /terminationGracePeriodSeconds: (\d+)/],
] as const)(
  '%s gives a node all that its program reads, and the time to hand over what it has',
  async (name, grace) => {
    const [file, program] = await Promise.all([read(name), read('../node.ts')]);
    const [, names = ''] = /const \{([^}]+)\} = process\.env/.exec(program) ?? [];
    const needed = Array.from(names.matchAll(/\b[A-Z_]+\b/g), ([one]) => one).filter((one) => one !== 'PAGE');
    expect(needed).toEqual(['DATABASE_URL', 'LISTEN', 'PORT', 'HOST', 'TLS']);
    for (const one of needed) expect(file).toMatch(new RegExp(`\\b${one}\\b(?:["']?[=:,]|$)`, 'm'));
    expect(Number(grace.exec(file)?.[1])).toBeGreaterThan(STOP_SECONDS);
  },
);

test('the nodes of Compose have names of their own, at which they listen and for which they have certificates', async () => {
  const file = await read('compose.yaml');
  const nodes = Array.from(file.matchAll(/^ {2}(node-\d):$([\s\S]*?)(?=^ {2}\S|^\S)/gm));
  expect(nodes.map(([, name]) => name)).toEqual(['node-1', 'node-2', 'node-3']);
  for (const [, name, text] of nodes) {
    expect(text).toContain(`LISTEN: '${name}:7700'`);
    expect(text).toContain(`./tls/${name}:/tls`);
  }
});

test('Kubernetes names nodes by the headless service, leaves them time before SIGTERM, and waits for the new one first', async () => {
  const parts = (await read('kubernetes.yaml')).split('\n---\n');
  const [headless = '', , deployment = ''] = parts;
  const name = /^ {2}name: (\S+)$/m.exec(headless)?.[1];
  expect(headless).toContain('clusterIP: None');
  expect(headless).toContain('publishNotReadyAddresses: true');
  expect(deployment).toContain(`.${name}.$POD_NAMESPACE.svc.cluster.local:7700`);
  expect(deployment).toContain('kind: Deployment');
  expect(deployment).toMatch(/preStop:[\s\S]*command: \['sleep', '\d+'\]/);
  expect(deployment).toContain('maxUnavailable: 0');
});
