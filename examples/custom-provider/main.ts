import { createHmac, randomBytes } from 'node:crypto';
import { agent, createRuntime, defineCapability } from 'holdfast';
import type signerMachine from './agents/signer.ts';
import { createVaultProvider } from './vault.ts';
import { startVaultServer } from './vault-server.ts';

const text = 'buy 10 MSFT';
const hmac = (key: string | Buffer): string => createHmac('sha256', key).update(text).digest('hex');

const vault = await startVaultServer();
const newKey = (): string => randomBytes(24).toString('base64url');
const keys = [newKey(), newKey()] as const;
vault.put('desk/key', keys[0]);

const runtime = await createRuntime(
  {
    externalSecrets: { provider: 'vault', cacheTTL: 1 },
    agents: {
      signer: agent<typeof signerMachine>({
        type: 'thread-bound',
        threadId: 'signing',
        maxThreads: 1,
        module: new URL('./agents/signer.ts', import.meta.url),
        secrets: { key: { ref: 'desk/key', mode: 'capability', capabilities: ['sign'] } },
      }),
    },
  },
  {
    providers: [createVaultProvider(vault.address, vault.token)],
    capabilities: [defineCapability('sign', (secret) => secret.use((key) => hmac(key)))],
  },
);
runtime.on('secret', ({ type, epoch }) => console.log(`${type}: the key has changed, epoch ${epoch}`));

const signer = await runtime.spawn('signer', { id: 'desk', input: { text } });
const told: string[] = [];
const both = Promise.withResolvers<void>();
signer.on('signed', ({ signature }) => {
  told.push(signature);
  console.log(`signed with key ${keys.findIndex((key) => hmac(key) === signature) + 1}`);
  if (told.length === 1) console.log(`version ${vault.put('desk/key', keys[1])} is in Vault`);
  else both.resolve();
});
const late = setTimeout(() => both.reject(new Error('the second signature did not come')), 20_000);
try {
  await both.promise;
  console.log('secrets', runtime.status().secrets);
} finally {
  clearTimeout(late);
  await runtime.stop();
  await vault.stop();
}
