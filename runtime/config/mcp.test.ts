import { describe, expect, test } from 'vitest';
import { fixture } from '../fixtures/start.ts';
import type { ConfigError } from '../base/errors.ts';
import { validateConfig } from './load.ts';

const tools = { allow: ['find_*'] };
const program = { command: 'node', tools };
const service = { url: 'https://mcp.example.com/mcp', tools };
const secrets = {
  key: { ref: 'a', mode: 'inject', hosts: ['mcp.example.com'], methods: ['POST'] },
  other: { ref: 'a', mode: 'inject', hosts: ['api.example.com'], methods: ['POST'] },
  get: { ref: 'a', mode: 'inject', hosts: ['mcp.example.com'] },
  sign: { ref: 'a', mode: 'capability', capabilities: ['sign.hmac'] },
};

async function problemsOf(server: object): Promise<string[]> {
  const agent = { ...fixture('counter'), secrets, mcp: { docs: server } };
  const config = { externalSecrets: { provider: 'env' }, agents: { desk: agent } };
  const error = (await validateConfig(config as never).catch((thrown: unknown) => thrown)) as
    | ConfigError
    | undefined;
  return (error?.problems ?? []).map(({ code, path }) => `${code} ${path.slice(4).join('.')}`);
}

describe('an MCP server', () => {
  test.each([
    program,
    { ...program, args: ['a'], env: { PATH: '/bin' }, cwd: 'tools', rate: '5/s', maxConcurrent: 1 },
    service,
    { ...service, url: 'http://127.0.0.1:8080/mcp' },
    { ...service, secret: 'key' },
  ])('may be %o', async (server) => {
    expect(await problemsOf(server)).toEqual([]);
  });

  test.each([
    [{ tools }, ['missing-key command']],
    [{ ...program, ...service }, ['wrong-mode url']],
    [{ ...program, secret: 'key' }, ['wrong-mode secret']],
    [{ ...service, args: [], env: {}, cwd: '.' }, ['wrong-mode args', 'wrong-mode env', 'wrong-mode cwd']],
    [{ command: 'node' }, ['missing-key tools']],
    [{ ...program, tools: { deny: ['x'] } }, ['missing-key tools.allow']],
    [{ ...program, tools: { allow: [] } }, ['out-of-range tools.allow']],
    [{ ...program, tools: { allow: ['with space'] } }, ['invalid-format tools.allow.0']],
    [{ ...program, env: { TOKEN: { secret: 'key' } } }, ['wrong-type env.TOKEN']],
    [{ ...service, url: 'http://mcp.example.com/mcp' }, ['invalid-format url']],
    [{ ...service, url: 'https://me:pass@mcp.example.com/mcp' }, ['invalid-format url']],
    [{ ...service, url: 'ws://127.0.0.1/mcp' }, ['invalid-format url']],
    [{ ...service, url: 'mcp' }, ['invalid-format url']],
    [{ ...service, secret: 'kye' }, ['wrong-grant secret']],
    [{ ...service, secret: 'other' }, ['wrong-grant secret']],
    [{ ...service, secret: 'get' }, ['wrong-grant secret']],
    [{ ...service, secret: 'sign' }, ['wrong-grant secret']],
    [{ ...program, rate: 'often' }, ['invalid-format rate']],
    [{ ...program, token: 'x' }, ['unknown-key token']],
  ])('may not be %o', async (server, problems) => {
    expect(await problemsOf(server)).toEqual(problems);
  });
});
