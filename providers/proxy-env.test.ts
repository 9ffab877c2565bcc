import { describe, expect, test } from 'vitest';
import { proxyEnv, proxyProblem, proxyVariable } from './proxy-env.ts';

const aws = new URL('https://secretsmanager.eu-west-1.amazonaws.com');

describe('the variables of the environment', () => {
  test('small letters are before capitals, and http is for http', () => {
    const env = { HTTPS_PROXY: 'http://a:1', https_proxy: 'http://b:2', HTTP_PROXY: 'http://c:3' };
    expect(proxyEnv(env)).toMatchObject({ https_proxy: 'http://b:2/', http_proxy: 'http://c:3/' });
    expect(proxyVariable(aws, env)).toBe('https_proxy');
    expect(proxyVariable(new URL('http://vpce.example'), env)).toBe('HTTP_PROXY');
  });

  test('a proxy without a scheme is http, as for curl', () => {
    expect(proxyEnv({ HTTPS_PROXY: 'proxy.example:3128' })).toMatchObject({
      https_proxy: 'http://proxy.example:3128/',
    });
  });

  test.each([{}, { HTTPS_PROXY: '' }, { HTTPS_PROXY: ' ' }, { NO_PROXY: '*' }])('%j has none', (env) => {
    expect(proxyEnv(env)).toBeUndefined();
    expect(proxyProblem(aws, env)).toBeUndefined();
  });

  test.each(['socks5://user:CANARY-pass@p:1', 'http://', 'http://user:CANARY-%zz@p', 'http://[CANARY-pass'])(
    '%s is told of without a word of it, and not given to Node, which would print it',
    (https_proxy) => {
      expect(proxyEnv({ https_proxy })).toBeUndefined();
      expect(proxyProblem(aws, { https_proxy })).toMatch(
        /^https_proxy is not the URL of an http or https proxy/,
      );
      expect(proxyProblem(aws, { https_proxy })).not.toContain('CANARY');
      expect(proxyProblem(aws, { https_proxy, no_proxy: 'amazonaws.com' })).toBeUndefined();
      expect(proxyProblem(new URL('http://127.0.0.1:1'), { http_proxy: https_proxy })).toBeUndefined();
    },
  );
});

test.each([
  ['22.20.0', undefined],
  ['22.21.0', 'HTTPS_PROXY'],
  ['24.4.1', undefined],
  ['24.5.0', 'HTTPS_PROXY'],
  ['26.0.0', 'HTTPS_PROXY'],
])('Node %s goes through the proxy of %s', (node, variable) => {
  expect(proxyVariable(aws, { HTTPS_PROXY: 'http://p:1' }, node)).toBe(variable);
});

describe('no proxy', () => {
  const env = (NO_PROXY = '') => ({ HTTPS_PROXY: 'http://p:1', HTTP_PROXY: 'http://p:1', NO_PROXY });
  const isAsked = (url: string, list?: string): boolean =>
    proxyVariable(new URL(url), env(list)) !== undefined;

  test.each([
    'http://127.0.0.1:4566',
    'http://127.9.9.9',
    'http://localhost:4566',
    'http://aws.localhost',
    'http://[::1]:4566',
    'http://0.0.0.0',
    'http://169.254.169.254/latest',
    'http://169.254.170.2/creds',
    'http://169.254.170.23/v1/credentials',
    'http://[fd00:ec2::254]',
    'http://[fd00:ec2::23]',
  ])('ever sees %s', (url) => {
    expect(isAsked(url)).toBe(false);
    expect(isAsked(url, 'other.example')).toBe(false);
  });

  test.each([
    ['*', false],
    ['amazonaws.com', false],
    ['.amazonaws.com', false],
    ['*.amazonaws.com', false],
    ['AMAZONAWS.COM', false],
    ['secretsmanager.eu-west-1.amazonaws.com', false],
    ['secretsmanager.eu-west-1.amazonaws.com:443', false],
    ['secretsmanager.eu-west-1.amazonaws.com:8443', true],
    ['other.example amazonaws.com', false],
    ['other.example, amazonaws.com', false],
    ['onaws.com', true],
    ['eu-west-1', true],
  ])('is asked for AWS with NO_PROXY=%s: %s', (list, asked) => {
    expect(isAsked(aws.href, list)).toBe(asked);
  });

  test.each([
    ['10.0.0.0/8', 'http://10.255.0.1', false],
    ['10.0.0.0/8', 'http://11.0.0.1', true],
    ['192.168.1.77/32', 'http://192.168.1.77', false],
    ['192.168.1.77/31', 'http://192.168.1.78', true],
    ['10.0.0.1-10.0.0.9', 'http://10.0.0.5', false],
    ['[fd00::1]', 'http://[fd00::1]', false],
  ])('with NO_PROXY=%s is asked for %s: %s', (list, url, asked) => {
    expect(isAsked(url, list)).toBe(asked);
  });
});
