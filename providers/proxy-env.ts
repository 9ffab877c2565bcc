/** What an `Agent` of Node takes as `proxyEnv`. */
export interface ProxyEnv {
  readonly http_proxy?: string;
  readonly https_proxy?: string;
  readonly no_proxy: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * What no proxy may ever see: this machine, and the addresses on its link at which clouds give credentials. EC2 and EKS have
 * two of them in IPv6, of which Node takes no ranges.
 */
const NEVER = [
  '.localhost',
  '0.0.0.0',
  '127.0.0.0-127.255.255.255',
  '::1',
  '169.254.0.0-169.254.255.255',
  'fd00:ec2::254',
  'fd00:ec2::23',
];

/**
 * The proxies of an environment, as curl reads it: `https_proxy`, `http_proxy` and `no_proxy`, small letters before capitals,
 * a proxy without a scheme is http, a name in `no_proxy` is for all below it, networks as `10.0.0.0/8`. Undefined when there are
 * none. One that {@link proxyProblem} has something against is left out.
 */
export function proxyEnv(env: Env): ProxyEnv | undefined {
  const [http, https] = [usable(env, 'http'), usable(env, 'https')];
  if (http === undefined && https === undefined) return undefined;
  return {
    ...(http !== undefined && { http_proxy: http }),
    ...(https !== undefined && { https_proxy: https }),
    no_proxy: exceptions(env).join(','),
  };
}

/** What is wrong with the proxy for a URL, without a word of it, since it may have a password; undefined when nothing is. */
export function proxyProblem(url: URL, env: Env): string | undefined {
  const scheme = url.protocol === 'http:' ? 'http' : 'https';
  const [variable] = proxyOf(env, scheme) ?? [];
  if (variable === undefined || usable(env, scheme) !== undefined || isExcepted(url, env)) return undefined;
  return `${variable} is not the URL of an http or https proxy, such as http://proxy.example:3128; correct it, or name ${url.host} in NO_PROXY`;
}

/** The variable that names the proxy through which a URL is asked; undefined: through none. */
export function proxyVariable(url: URL, env: Env, node: string = process.versions.node): string | undefined {
  const scheme = url.protocol === 'http:' ? 'http' : 'https';
  if (!hasProxies(node)) return undefined;
  return usable(env, scheme) === undefined || isExcepted(url, env) ? undefined : proxyOf(env, scheme)?.[0];
}

/** Whether agents of this Node take `proxyEnv`; others ask directly. */
function hasProxies(node: string): boolean {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
}

function proxyOf(env: Env, scheme: 'http' | 'https'): readonly [variable: string, value: string] | undefined {
  for (const variable of [`${scheme}_proxy`, `${scheme.toUpperCase()}_PROXY`]) {
    const value = env[variable]?.trim();
    if (value !== undefined && value !== '') return [variable, value];
  }
  return undefined;
}

function usable(env: Env, scheme: 'http' | 'https'): string | undefined {
  const [, written] = proxyOf(env, scheme) ?? [];
  if (written === undefined) return undefined;
  const url = URL.parse(written.includes('://') ? written : `http://${written}`);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') return undefined;
  try {
    // Node decodes them, and throws what has the password in it.
    decodeURIComponent(url.username + url.password);
    return url.href;
  } catch {
    return undefined;
  }
}

function exceptions(env: Env): string[] {
  const written = (env['no_proxy'] || env['NO_PROXY'] || '').toLowerCase();
  return [
    ...NEVER,
    ...written
      .split(/[\s,]+/)
      .filter((entry) => entry !== '')
      .flatMap(asNodeReads),
  ];
}

/** An entry in the forms that Node knows: exact, with its port, `.below.a.name`, a range of IPv4 addresses. */
function asNodeReads(entry: string): string[] {
  const network = /^(\d+\.\d+\.\d+\.\d+)\/(\d{1,2})$/.exec(entry);
  if (network !== null) return [rangeOf(network[1] ?? '', Number(network[2]))];
  const name = entry.replace(/^\[(.*)\]$/, '$1');
  // A name stands for all below it; an address, a range or a name with a port does not.
  return /^[a-z][\w.-]*$/.test(name) ? [name, `.${name}`] : [name];
}

function rangeOf(address: string, prefix: number): string {
  const size = 2 ** (32 - Math.min(prefix, 32));
  const first = Math.floor(toNumber(address) / size) * size;
  return `${toAddress(first)}-${toAddress(first + size - 1)}`;
}

const toNumber = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

const toAddress = (number: number): string =>
  [24, 16, 8, 0].map((bits) => Math.floor(number / 2 ** bits) % 256).join('.');

function isExcepted(url: URL, env: Env): boolean {
  const host = url.hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  const port = url.port || (url.protocol === 'http:' ? '80' : '443');
  return exceptions(env).some((entry) => {
    if (entry === '*' || entry === host || entry === `${host}:${port}`) return true;
    if (entry.startsWith('.')) return `.${host}`.endsWith(entry);
    if (entry.startsWith('*.')) return host.endsWith(entry.slice(1));
    const [first, last] = /^[\d.]+-[\d.]+$/.test(entry) ? entry.split('-') : [];
    if (first === undefined || last === undefined || !/^[\d.]+$/.test(host)) return false;
    return toNumber(host) >= toNumber(first) && toNumber(host) <= toNumber(last);
  });
}
