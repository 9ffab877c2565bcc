import { createRuntime, type RuntimeEvents } from 'holdfast';
import { deskConfig, readOpenclaw } from './desk-config.ts';
import { createRecord, type RunRecord } from './record.ts';
import type { DeskRuntime } from './runtime-of-desk.ts';
import { openEmulator } from './secrets-service.ts';
import { signOrder, signReport } from './signatures.ts';
import { openSigningKey, type SigningKey } from './signing-key.ts';
import { createWitness, type Witness } from './witness.ts';

/** For tests: the desk's own runtime with real threads and its key in an emulator. */
export interface OpenDesk extends AsyncDisposable {
  readonly runtime: DeskRuntime;
  readonly key: SigningKey;
  readonly record: RunRecord;
  readonly witness: Witness;
  readonly deadLetters: RuntimeEvents['dead-letter'][];
}

export async function openDesk(): Promise<OpenDesk> {
  const service = await openEmulator('ap-east-1');
  const key = await openSigningKey(service.client, 'desk/key');
  const record = createRecord();
  const witness = createWitness(record, () => {});
  const runtime = await createRuntime(
    deskConfig(await readOpenclaw(), { secretId: key.id, ...service.place }),
    { capabilities: [signOrder, signReport], logger: witness.logger },
  );
  const deadLetters: RuntimeEvents['dead-letter'][] = [];
  runtime.on('dead-letter', (letter) => deadLetters.push(letter));
  return {
    runtime,
    key,
    record,
    witness,
    deadLetters,
    async [Symbol.asyncDispose]() {
      await runtime.stop();
      await service.stop();
    },
  };
}
