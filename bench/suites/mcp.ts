import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { digestOf, newToken } from '../../runtime/gateway/token-access.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { ratio, measure, type Variant } from '../lib/rounds.ts';

const CALLS = 2000;
const AT_ONCE = 16;

const HTTP = 'an ask over HTTP';
const MCP = 'a call of a tool, as a client of 2026-07-28 sends it';
const OLDER = 'a call of a tool, as an older client sends it';

interface Sent {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The same question to the same agent over the gateway's HTTP and over its `/mcp`, by the same plain requests. */
export async function mcp(results: Results, rounds: number): Promise<void> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-bench-'));
  const token = newToken();
  const module = fileURLToPath(new URL('../agents/quoting.ts', import.meta.url));
  const allowed = { sha256: digestOf(token), allow: ['send', 'manage'] };
  const config = {
    agents: { desk: { type: 'thread-bound', threadId: 'desks', maxThreads: 1, module } },
    gateway: { port: 0, tokens: { bench: allowed } },
  };
  const file = join(folder, 'openclaw.json');
  writeFileSync(file, JSON.stringify(config));
  const main = fileURLToPath(new URL('../../runtime/cli/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['-C', 'holdfast-source', main, 'gateway', 'run', '-c', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, XDG_STATE_HOME: folder },
  });
  try {
    const url = await urlOf(child);
    const authorization = `Bearer ${token}`;
    const json = { authorization, 'content-type': 'application/json' };
    const asked = {
      url: `${url}/v1/agents/desk/a/ask?activate=true`,
      headers: json,
      body: JSON.stringify({ type: 'quote', symbol: 'BTC' }),
    };
    const params = { name: 'desk_quote', arguments: { id: 'a', symbol: 'BTC' } };
    const older = {
      url: `${url}/mcp`,
      headers: { ...json, accept: 'application/json, text/event-stream' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    };
    const variants: Record<string, Variant> = {
      [HTTP]: () => calls(asked),
      [MCP]: await sentBy(url, authorization, params).then((sent) => () => calls(sent)),
      [OLDER]: () => calls(older),
    };
    const rows = await measure(variants, rounds);
    results.table({
      suite: 'mcp',
      title: `${CALLS} calls, ${AT_ONCE} at a time, median of ${rounds}`,
      unit: 'requests/s',
      base: HTTP,
      rows,
    });
    const share = ratio(rowNamed(rows, HTTP), rowNamed(rows, MCP));
    results.gate('mcp', 'time of a call of a tool, in times of an ask over HTTP', share, { atMost: 1.5 });
  } finally {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The request that a stock client makes for the call. */
async function sentBy(
  url: string,
  authorization: string,
  params: { readonly name: string; readonly arguments: Record<string, unknown> },
): Promise<Sent> {
  let last: Sent | undefined;
  const recording: typeof fetch = (input, init) => {
    const headers = Object.fromEntries(new Headers(init?.headers));
    last = {
      url: String(input instanceof Request ? input.url : input),
      headers,
      body: typeof init?.body === 'string' ? init.body : '',
    };
    return fetch(input, init);
  };
  const client = new Client({ name: 'bench', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  const requestInit = { headers: { authorization } };
  await client.connect(
    new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit, fetch: recording }),
  );
  await client.callTool(params);
  await client.close();
  if (last?.body.includes('tools/call') !== true) throw new Error('the client did not call');
  return last;
}

async function calls({ url, headers, body }: Sent): Promise<number> {
  const began = performance.now();
  let left = CALLS;
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const text = await (await fetch(url, { method: 'POST', headers, body })).text();
      if (!text.includes('61000')) throw new Error(`no answer: ${text.slice(0, 500)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return (CALLS / (performance.now() - began)) * 1000;
}

async function urlOf({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('it prints nothing');
  for await (const line of createInterface({ input: stdout })) {
    const { url } = (line.startsWith('{') ? JSON.parse(line) : {}) as { url?: unknown };
    if (typeof url === 'string') return url;
  }
  throw new Error('the gateway did not start');
}
