import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest';
import type { EmulatedCredentials, IamPolicy } from './emulator/iam-access.ts';
import {
  startSecretsManagerEmulator,
  type SecretsManagerEmulator,
} from './emulator/secrets-manager-emulator.ts';
import { createAwsSecretsManagerProvider } from './aws-secrets-manager.ts';
import { awsHome } from './fixtures/aws-home.ts';
import { printedWithoutAwsRoles } from './fixtures/without-aws-roles.ts';
import type { ProviderError, RotationHint, SecretProvider } from './provider.ts';

const everything: IamPolicy = { Statement: { Effect: 'Allow', Action: '*', Resource: '*' } };
const { signal } = new AbortController();

let emulator: SecretsManagerEmulator;
let home: string;
let remove: () => void;
let provider: SecretProvider;

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
});
beforeEach(() => {
  emulator.reset();
  emulator.put('a', 'value');
  ({ home, remove } = awsHome());
  provider = make();
});
afterEach(async () => {
  await provider.close?.();
  remove();
});
afterAll(() => emulator.stop());

const make = (options: object = {}): SecretProvider =>
  createAwsSecretsManagerProvider({
    region: emulator.region,
    endpoint: emulator.url,
    stsEndpoint: emulator.url,
    maxAttempts: 1,
    ...options,
  });

const read = async (role?: string): Promise<string> => {
  const ref = { provider: 'default', id: 'a', ...(role !== undefined && { role }) };
  const text = async () => new TextDecoder().decode((await provider.fetch(ref, {}, signal)).bytes);
  return text().catch((error: unknown) => provider.classify(error));
};

/** In one step, as tools that rewrite such files do it. */
function put(path: string, text: string): void {
  const file = join(home, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

const lines = (keys: EmulatedCredentials): string =>
  `[default]\naws_access_key_id = ${keys.accessKeyId}\naws_secret_access_key = ${keys.secretAccessKey}\n` +
  (keys.sessionToken === undefined ? '' : `aws_session_token = ${keys.sessionToken}\n`);

/** Another key for the host; the one before is not known any more. */
function replaced(): EmulatedCredentials {
  emulator.reset();
  emulator.put('a', 'value');
  return emulator.createUser(everything);
}

/** Credentials of a session, as SSO, STS and what wraps them give. */
async function session(): Promise<EmulatedCredentials & { readonly sessionToken: string }> {
  const RoleArn = emulator.createRole('session', everything);
  const { sessionToken = '', ...keys } = await fromTemporaryCredentials({
    params: { RoleArn },
    masterCredentials: emulator.credentials,
    clientConfig: { region: emulator.region, endpoint: emulator.url },
  })();
  return { ...keys, sessionToken };
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('credentials that are replaced while the process runs are used from the next read on', () => {
  test('keys of the file of credentials', async () => {
    put('.aws/credentials', lines(emulator.createUser(everything)));
    expect(await read()).toBe('value');
    put('.aws/credentials', lines(replaced()));
    expect(await read()).toBe('value');
    expect(emulator.calls).toMatchObject({ GetSecretValue: 2 });
    // And once more: what was read anew is not kept for ever either.
    put('.aws/credentials', lines(replaced()));
    expect(await read()).toBe('value');
  });

  test('keys that come later than the old ones end, and a file that comes later than the process', async () => {
    expect(await read()).toBe('expired-credentials');
    put('.aws/credentials', lines(emulator.createUser(everything)));
    expect(await read()).toBe('value');
    const next = replaced();
    expect(await read()).toBe('expired-credentials');
    put('.aws/credentials', lines(next));
    expect(await read()).toBe('value');
  });

  test('a session that a tool writes into the file', async () => {
    put('.aws/credentials', lines(await session()));
    expect(await read()).toBe('value');
    emulator.expireSessions();
    expect(await read()).toBe('expired-credentials');
    put('.aws/credentials', lines(await session()));
    expect(await read()).toBe('value');
  });

  test('what the process of a profile prints', async () => {
    const print = (keys: EmulatedCredentials): void => {
      const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = keys;
      const printed = JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey });
      put('credentials.sh', `#!/bin/sh\nprintf '%s' '${printed}'\n`);
      chmodSync(join(home, 'credentials.sh'), 0o700);
    };
    put('.aws/config', `[default]\ncredential_process = ${join(home, 'credentials.sh')}\n`);
    print(emulator.createUser(everything));
    expect(await read()).toBe('value');
    print(replaced());
    expect(await read()).toBe('value');
    // Another process altogether.
    const { accessKeyId, secretAccessKey } = replaced();
    put(
      '.aws/config',
      `[default]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`,
    );
    expect(await read()).toBe('value');
  });

  test('the cache of SSO after a new login', async () => {
    const sessions = new Map<string, EmulatedCredentials>();
    const portal = await serve((request, response) => {
      const found = sessions.get(String(request.headers['x-amz-sso_bearer_token']));
      const roleCredentials = { ...found, expiration: Date.now() + 3_600_000 };
      const answer = found === undefined ? { message: 'Session token not found' } : { roleCredentials };
      response.writeHead(found === undefined ? 401 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer));
    });
    vi.stubEnv('AWS_ENDPOINT_URL_SSO', portal);
    const start = 'https://desk.awsapps.example/start';
    const login = async (token: string): Promise<void> => {
      const name = createHash('sha1').update(start).digest('hex');
      const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
      put(`.aws/sso/cache/${name}.json`, JSON.stringify({ accessToken: token, expiresAt }));
      sessions.clear();
      sessions.set(token, await session());
    };
    const sso = `sso_start_url = ${start}\nsso_account_id = 1\nsso_region = ap-east-1\nsso_role_name = desk\n`;
    put('.aws/config', `[default]\n${sso}`);
    await login('first');
    expect(await read()).toBe('value');
    emulator.expireSessions();
    sessions.clear();
    expect(await read()).toBe('expired-credentials');
    await login('second');
    expect(await read()).toBe('value');
  });

  test('the token file of a web identity, also when it is away for a while', async () => {
    const sessions = new Map<string, EmulatedCredentials>();
    const sts = await serve((request, response) => {
      let form = '';
      request.on('data', (chunk: Buffer) => (form += chunk.toString()));
      request.on('end', () => {
        const found = sessions.get(new URLSearchParams(form).get('WebIdentityToken') ?? '');
        const xml = (name: string, content: string): string => `<${name}>${content}</${name}>`;
        const error = xml('Code', 'InvalidIdentityToken') + xml('Message', 'no');
        const credentials =
          xml('AccessKeyId', found?.accessKeyId ?? '') +
          xml('SecretAccessKey', found?.secretAccessKey ?? '') +
          xml('SessionToken', found?.sessionToken ?? '') +
          xml('Expiration', new Date(Date.now() + 3_600_000).toISOString());
        const result = xml('AssumeRoleWithWebIdentityResult', xml('Credentials', credentials));
        response.writeHead(found === undefined ? 400 : 200);
        response.end(
          found === undefined
            ? xml('ErrorResponse', xml('Error', error))
            : xml('AssumeRoleWithWebIdentityResponse', result),
        );
      });
    });
    vi.stubEnv('AWS_ENDPOINT_URL_STS', sts);
    vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::1:role/desk');
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', join(home, 'token'));
    expect(await read()).toBe('expired-credentials');
    sessions.set('first', await session());
    put('token', 'first');
    expect(await read()).toBe('value');
    emulator.expireSessions();
    sessions.clear();
    expect(await read()).toBe('expired-credentials');
    sessions.set('second', await session());
    put('token', 'second');
    expect(await read()).toBe('value');
  });

  test('with which a role is assumed', async () => {
    put('.aws/credentials', lines(emulator.createUser(everything)));
    let role = emulator.createRole('desk', everything);
    expect(await read(role)).toBe('value');
    put('.aws/credentials', lines(replaced()));
    role = emulator.createRole('desk', everything);
    expect(await read(role)).toBe('value');
    expect(emulator.calls).toMatchObject({ AssumeRole: 1, GetSecretValue: 2 });
  });

  test('with which the role of a profile is assumed', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_STS', emulator.url);
    const source = (keys: EmulatedCredentials): string => lines(keys).replace('[default]', '[source]');
    const arn = emulator.createRole('desk', everything);
    put('.aws/config', `[default]\nrole_arn = ${arn}\nsource_profile = source\nregion = ap-east-1\n`);
    put('.aws/credentials', source(emulator.createUser(everything)));
    expect(await read()).toBe('value');
    put('.aws/credentials', source(replaced()));
    emulator.createRole('desk', everything);
    expect(await read()).toBe('value');
  });

  test('for many secrets at once', async () => {
    put('.aws/credentials', lines(emulator.createUser(everything)));
    expect(await read()).toBe('value');
    put('.aws/credentials', lines(replaced()));
    const refs = ['a', 'b'].map((id) => ({ provider: 'default', id }));
    emulator.put('b', 'other');
    const found = await provider.fetchMany?.(refs, signal);
    const values = [...(found?.values() ?? [])].map((one) =>
      'bytes' in one ? one.bytes.length : one.failure,
    );
    expect(values).toEqual([5, 5]);
    expect(emulator.calls).toEqual({ BatchGetSecretValue: 2 });
  });

  test('with which the rotation queue is read, without a word of trouble', async () => {
    const stopping = new AbortController();
    const hints: RotationHint[] = [];
    const troubles: ProviderError[] = [];
    put('.aws/credentials', lines(emulator.createUser(everything)));
    const labels = { 'detail-type': ['Secret Label Updated'] };
    const queue = emulator.createQueue('rotations', labels);
    provider = make({ rotationQueueUrl: queue.url });
    const watching = provider.watch?.(
      (hint) => hints.push(hint),
      stopping.signal,
      (trouble) => troubles.push(trouble),
    );
    const until = (check: () => void) => vi.waitFor(check, { timeout: 60_000, interval: 5 });
    await until(() => expect(emulator.calls['ReceiveMessage']).toBe(1));
    emulator.put('b', 'one');
    await until(() => expect(hints).toHaveLength(1));
    const next = replaced();
    emulator.createQueue('rotations', labels);
    put('.aws/credentials', lines(next));
    emulator.put('b', 'two');
    await until(() => expect(hints).toHaveLength(2));
    expect(troubles).toEqual([]);
    stopping.abort();
    await watching;
  });
});

test('without the optional package they are used from the next read on, too', async () => {
  const program = `
    const { mkdirSync, writeFileSync } = await import('node:fs');
    const { startSecretsManagerEmulator } = await import('./providers/emulator/secrets-manager-emulator.ts');
    const emulator = await startSecretsManagerEmulator();
    mkdirSync(process.env.HOME + '/.aws');
    const { region, url: endpoint } = emulator;
    const provider = createAwsSecretsManagerProvider({ region, endpoint });
    for (const value of ['one', 'two']) {
      emulator.reset();
      emulator.put('a', value);
      const keys = emulator.createUser({ Statement: { Effect: 'Allow', Action: '*', Resource: '*' } });
      const text = '[default]\\naws_access_key_id=' + keys.accessKeyId + '\\naws_secret_access_key=' + keys.secretAccessKey;
      writeFileSync(process.env.HOME + '/.aws/credentials', text);
      const { bytes } = await provider.fetch({ provider: 'default', id: 'a' }, {}, new AbortController().signal);
      console.log(new TextDecoder().decode(bytes));
    }
    await provider.close();
    await emulator.stop();`;
  const env = { PATH: process.env['PATH'], HOME: home, AWS_EC2_METADATA_DISABLED: 'true' };
  const stdout = await printedWithoutAwsRoles(program, env);
  expect(stdout).toBe('one\ntwo\n');
});
