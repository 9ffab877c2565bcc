import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  awsRefProblem,
  awsSecretsManagerOptionProblems,
  awsStartProblems,
  createAwsSecretsManagerProvider,
  reachAws,
} from './aws-secrets-manager.ts';
import { findRegion } from './aws-region.ts';

const arn = (region: string, name = 'prod/key', partition = 'aws'): string =>
  `arn:${partition}:secretsmanager:${region}:111122223333:secret:${name}-AbCdEf`;

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-home-'));
  mkdirSync(join(home, '.aws'));
  for (const name of Object.keys(process.env)) if (/^AWS_|_proxy$/i.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv('HOME', home);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

const config = (text: string): void => writeFileSync(join(home, '.aws', 'config'), text);

describe('the region', () => {
  test('is what is written, then AWS_REGION, the profile, and where all secrets are', async () => {
    const ids = [arn('eu-north-1'), arn('eu-north-1', 'other')];
    expect(await findRegion(undefined, ids)).toBe('eu-north-1');
    config('[default]\nregion = us-west-2\n[profile desk]\nregion = sa-east-1\n');
    expect(await findRegion(undefined, ids)).toBe('eu-north-1');
    vi.stubEnv('HOME', mkdtempSync(join(home, 'second-')));
    mkdirSync(join(process.env['HOME'] ?? '', '.aws'));
    writeFileSync(
      join(process.env['HOME'] ?? '', '.aws', 'config'),
      '[default]\nregion = us-west-2\n[profile desk]\nregion = sa-east-1\n',
    );
    expect(await findRegion(undefined, ids)).toBe('us-west-2');
    vi.stubEnv('AWS_PROFILE', 'desk');
    expect(await findRegion(undefined, ids)).toBe('sa-east-1');
    vi.stubEnv('AWS_REGION', 'ap-south-1');
    expect(await findRegion(undefined, ids)).toBe('ap-south-1');
    expect(await findRegion('me-south-1', ids)).toBe('me-south-1');
  });

  test('is none where secrets are in several, or one has a plain name', async () => {
    for (const ids of [[], ['plain'], [arn('eu-north-1'), 'plain'], [arn('eu-north-1'), arn('us-east-1')]])
      await expect(findRegion(undefined, ids)).rejects.toMatchObject({
        failure: 'invalid',
        message: expect.stringMatching(/^No AWS region is known\..*AWS_REGION.*profile\.$/),
      });
  });

  test('is not looked for where the SDK does not look, which is said', async () => {
    vi.stubEnv('AWS_DEFAULT_REGION', 'eu-west-1');
    await expect(findRegion(undefined, [])).rejects.toMatchObject({
      message: expect.stringContaining(
        'AWS_DEFAULT_REGION is set, which the AWS SDK for JavaScript does not read',
      ),
    });
  });

  test('that is none is named with where it was written', async () => {
    vi.stubEnv('AWS_REGION', 'eu west 1');
    await expect(findRegion(undefined, [])).rejects.toMatchObject({
      message: expect.stringContaining(
        'AWS region "eu west 1" is not valid; write one such as eu-west-1 in AWS_REGION',
      ),
    });
    expect(awsSecretsManagerOptionProblems({ region: 'eu west 1' })).toEqual([
      '"region" must be a region such as ap-east-1, not string',
    ]);
  });

  test('of the instance is asked for, and not for long', async () => {
    const server = createServer((request, response) => {
      response.end(request.method === 'PUT' ? 'token' : 'eu-south-2');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => server.close().closeAllConnections());
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', undefined);
    vi.stubEnv(
      'AWS_EC2_METADATA_SERVICE_ENDPOINT',
      `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    );
    expect(await findRegion(undefined, ['plain'])).toBe('eu-south-2');
  });

  test('that is missing makes a call invalid, not one that is tried for ever', async () => {
    const provider = createAwsSecretsManagerProvider({});
    const ref = { provider: 'default', id: 'prod/key' };
    const error: unknown = await provider
      .fetch(ref, {}, new AbortController().signal)
      .catch((thrown: unknown) => thrown);
    expect([provider.classify(error), String(error)]).toEqual([
      'invalid',
      expect.stringContaining('No AWS region is known'),
    ]);
  });
});

describe('a secret of another region', () => {
  test('is told with both', () => {
    const problem =
      'this secret is in the region us-east-1, and the provider reads in eu-west-1; declare a provider with the region ' +
      'us-east-1 for it, or correct one of the two';
    expect(awsRefProblem({ region: 'eu-west-1' }, arn('us-east-1'))).toBe(problem);
    expect(awsRefProblem({ region: 'cn-north-1' }, arn('cn-northwest-1', 'k', 'aws-cn'))).toContain(
      'cn-northwest-1',
    );
  });

  test.each([
    [{ region: 'us-east-1' }, arn('us-east-1')],
    [{ region: 'us-gov-west-1' }, arn('us-gov-west-1', 'k', 'aws-us-gov')],
    [{ region: 'fips-us-gov-west-1' }, arn('us-gov-west-1', 'k', 'aws-us-gov')],
    [{ region: 'us-iso-east-1' }, arn('us-iso-east-1', 'k', 'aws-iso')],
    [{ region: 'eu-west-1' }, 'prod/key'],
    [{}, arn('us-east-1')],
    [{ region: 7 }, arn('us-east-1')],
  ])('%j has nothing against %s', (options, id) => {
    expect(awsRefProblem(options, id)).toBeUndefined();
  });

  test('is told at the start where the region is none of the config', async () => {
    vi.stubEnv('AWS_REGION', 'eu-west-1');
    expect(await awsStartProblems({}, [arn('us-east-1'), 'prod/key', arn('eu-west-1')])).toEqual([
      expect.stringContaining(`${arn('us-east-1')}: this secret is in the region us-east-1`),
    ]);
  });

  test('and a proxy that is none are told together', async () => {
    vi.stubEnv('HTTPS_PROXY', 'socks5://127.0.0.1:1');
    expect(await awsStartProblems({}, ['prod/key'])).toEqual([
      expect.stringContaining('No AWS region is known'),
      expect.stringContaining('HTTPS_PROXY is not the URL'),
    ]);
    expect(await awsStartProblems({ region: 'eu-west-1', endpoint: 'http://127.0.0.1:1' }, ['k'])).toEqual(
      [],
    );
  });
});

describe('the endpoint that is asked whether it is there is the one of the client', () => {
  const urlOf = async (options: object): Promise<string> => {
    // Nothing leaves this machine: the proxy is not there.
    vi.stubEnv('HTTPS_PROXY', 'http://127.0.0.1:1');
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1');
    const { url, answered } = await reachAws(options, [], AbortSignal.timeout(10_000));
    expect(answered).toBe(false);
    return url;
  };

  test.each([
    [{ region: 'eu-west-1' }, 'https://secretsmanager.eu-west-1.amazonaws.com'],
    [{ region: 'cn-north-1' }, 'https://secretsmanager.cn-north-1.amazonaws.com.cn'],
    [{ region: 'us-gov-west-1' }, 'https://secretsmanager.us-gov-west-1.amazonaws.com'],
    [{ region: 'us-iso-east-1' }, 'https://secretsmanager.us-iso-east-1.c2s.ic.gov'],
    [{ region: 'us-isob-east-1' }, 'https://secretsmanager.us-isob-east-1.sc2s.sgov.gov'],
    [{ region: 'eusc-de-east-1' }, 'https://secretsmanager.eusc-de-east-1.amazonaws.eu'],
    [
      { region: 'eu-west-1', endpoint: 'https://vpce-1-2.secretsmanager.eu-west-1.vpce.amazonaws.com' },
      'https://vpce-1-2.secretsmanager.eu-west-1.vpce.amazonaws.com',
    ],
    [
      { region: 'eu-west-1', endpoint: 'http://gateway.example:8080/aws' },
      'http://gateway.example:8080/aws/',
    ],
  ])('%j: %s', async (options, url) => {
    expect(await urlOf(options)).toBe(url);
  });

  test('also where the environment has it', async () => {
    vi.stubEnv('AWS_REGION', 'us-east-2');
    expect(await urlOf({})).toBe('https://secretsmanager.us-east-2.amazonaws.com');
    vi.stubEnv('AWS_USE_FIPS_ENDPOINT', 'true');
    expect(await urlOf({})).toBe('https://secretsmanager-fips.us-east-2.amazonaws.com');
    vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', 'https://emulator.example');
    vi.stubEnv('AWS_USE_FIPS_ENDPOINT', undefined);
    expect(await urlOf({})).toBe('https://emulator.example');
  });
});
