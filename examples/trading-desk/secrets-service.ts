import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { startSecretsManagerEmulator } from '../../providers/emulator/secrets-manager-emulator.ts';

/** AWS Secrets Manager, real or embedded. The desk talks to both through the same SDK. */
export interface SecretsService {
  /** For people: what it is and where. */
  readonly title: string;
  /** For the config; the endpoint only for the emulator. */
  readonly place: { readonly region: string; readonly endpoint?: string };
  readonly client: SecretsManagerClient;
  stop(): Promise<void>;
}

/** Every wait has an end: the SDK by itself would wait for ever. In milliseconds. */
const timeouts = { connectionTimeout: 1000, requestTimeout: 3000, throwOnRequestTimeout: true };

/** The real service, with credentials from the usual AWS chain. */
export function openAws(region: string): SecretsService {
  const client = new SecretsManagerClient({ region, requestHandler: timeouts });
  return {
    title: `AWS Secrets Manager in ${region}`,
    place: { region },
    client,
    async stop() {
      client.destroy();
    },
  };
}

/**
 * The emulator on loopback. Its made-up credentials go into this process's environment, where the AWS chain of
 * the runtime's provider finds them; `stop` puts back what was there. Worker threads have no environment.
 */
export async function openEmulator(region: string): Promise<SecretsService> {
  const emulator = await startSecretsManagerEmulator({ region });
  const { credentials, url } = emulator;
  const restoreEnv = replaceEnv({
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: undefined,
    // A profile would win over the two above.
    AWS_PROFILE: undefined,
  });
  const client = new SecretsManagerClient({ region, endpoint: url, credentials, requestHandler: timeouts });
  return {
    title: `Secrets Manager emulator on ${new URL(url).host}`,
    place: { region, endpoint: url },
    client,
    async stop() {
      client.destroy();
      restoreEnv();
      await emulator.stop();
    },
  };
}

function replaceEnv(values: Record<string, string | undefined>): () => void {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  const set = ([name, value]: readonly [string, string | undefined]): void => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  Object.entries(values).forEach(set);
  return () => before.forEach(set);
}
