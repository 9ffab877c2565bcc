// Secrets Manager as the cold reads meet it: on loopback, in a process of its own, with so many secrets in it.
import { randomBytes } from 'node:crypto';
import { startSecretsManagerEmulator } from '../../providers/emulator/secrets-manager-emulator.ts';

const emulator = await startSecretsManagerEmulator();
for (let n = 0; n < Number(process.argv[2]); n++)
  emulator.put(`secret-${n}`, randomBytes(24).toString('base64url'));
process.on('message', () => process.send?.(emulator.calls));
process.on('disconnect', () => process.exit());
process.send?.({ url: emulator.url, region: emulator.region, credentials: emulator.credentials });
