import { type ConfigPath, entriesOf, type Finding, isRecord, property } from './finding.ts';
import { isLoopbackOrigin, originOf } from './grant-hosts.ts';
import { printName } from './received.ts';
import { didYouMean } from './suggest.ts';

/** The keys that a server of one kind alone takes. */
const KEYS_OF_KIND: ReadonlyMap<'command' | 'url', readonly string[]> = new Map([
  ['command', ['args', 'env', 'cwd']],
  ['url', ['secret']],
]);

/** What the parts of each MCP server must agree on, and with the grants of its agent. */
export function mcpFindings(root: unknown): Finding[] {
  return entriesOf(property(root, 'agents')).flatMap(([agent, config]) =>
    entriesOf(property(config, 'mcp')).flatMap(([server, written]): Finding[] => {
      const path: ConfigPath = ['agents', agent, 'mcp', server];
      if (!isRecord(written)) return [];
      return kindFindings(path, written).concat(
        urlFindings(path, written),
        secretFindings(path, written, config),
      );
    }),
  );
}

function kindFindings(path: ConfigPath, written: Readonly<Record<string, unknown>>): Finding[] {
  const [hasCommand, hasUrl] = [written['command'] !== undefined, written['url'] !== undefined];
  if (!hasCommand && !hasUrl) {
    const message =
      'missing key "command" or "url"; expected a program to run, or the URL of a service that speaks MCP';
    return [{ code: 'missing-key', path: [...path, 'command'], at: 'value', message }];
  }
  if (hasCommand && hasUrl) {
    const message = 'a server is a program or a service: remove "command" or "url"';
    return [{ code: 'wrong-mode', path: [...path, 'url'], at: 'key', message }];
  }
  const other = hasCommand ? 'url' : 'command';
  return (KEYS_OF_KIND.get(other) ?? [])
    .filter((key) => written[key] !== undefined)
    .map((key) => {
      const message = `${printName(key)} goes with "${other}", which this server does not have; remove it`;
      return { code: 'wrong-mode', path: [...path, key], at: 'key', message };
    });
}

function urlFindings(path: ConfigPath, { url }: Readonly<Record<string, unknown>>): Finding[] {
  if (typeof url !== 'string' || url === '') return [];
  const parsed = URL.parse(url);
  const at: ConfigPath = [...path, 'url'];
  const invalid = (message: string): Finding[] => [
    { code: 'invalid-format', path: at, at: 'value', message },
  ];
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    return invalid('this is not a URL of HTTP; write it whole, as in "https://mcp.example.com/mcp"');
  if (parsed.username !== '' || parsed.password !== '')
    return invalid('a URL has no user name and password here; use a grant and `secret`');
  if (parsed.protocol === 'http:' && !isLoopbackOrigin(parsed.origin))
    return invalid('plain http is for 127.0.0.1, [::1] and localhost only; use https');
  return [];
}

function secretFindings(
  path: ConfigPath,
  { secret, url }: Readonly<Record<string, unknown>>,
  agent: unknown,
): Finding[] {
  if (typeof secret !== 'string' || secret === '' || typeof url !== 'string') return [];
  const at: ConfigPath = [...path, 'secret'];
  const wrong = (message: string): Finding[] => [{ code: 'wrong-grant', path: at, at: 'value', message }];
  const grant = property(property(agent, 'secrets'), secret);
  if (!isRecord(grant)) {
    const labels = entriesOf(property(agent, 'secrets')).map(([label]) => label);
    return wrong(
      `the agent has no grant ${printName(secret)} in its \`secrets\`${didYouMean(secret, labels)}`,
    );
  }
  const { mode, hosts, methods } = grant;
  if (typeof mode === 'string' && mode !== 'inject')
    return wrong(
      `the grant ${printName(secret)} has the mode ${printName(mode)}; a server needs one of the mode "inject"`,
    );
  const origin = URL.parse(url)?.origin;
  if (Array.isArray(hosts) && !hosts.some((host) => typeof host === 'string' && originOf(host) === origin))
    return wrong(`the grant ${printName(secret)} does not have the host of this server among its \`hosts\``);
  if (methods === undefined || (Array.isArray(methods) && !methods.includes('POST')))
    return wrong(
      `the grant ${printName(secret)} does not have "POST" among its \`methods\`, by which MCP is spoken`,
    );
  return [];
}
