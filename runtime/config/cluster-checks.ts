import { isLoopback } from '../base/loopback.ts';
import { nodeAddress } from '../base/node-address.ts';
import { type ConfigPath, type Finding, isRecord, property } from './finding.ts';
import { printName } from './received.ts';

/** Two looks at the other nodes: less, and a node is dead whenever one is late. */
const LEAST_DEAD_MS = 2000;

const at = (...keys: ConfigPath): ConfigPath => ['cluster', ...keys];

/** What the keys of a cluster must agree on, among each other and with the store. */
export function clusterFindings(root: unknown): Finding[] {
  const cluster = property(root, 'cluster');
  if (!isRecord(cluster)) return [];
  const has = (key: string): boolean => property(cluster, key) !== undefined;
  const ways = has('listen') ? listening(cluster, has) : listed(cluster, has);
  return [...ways, ...plainFindings(cluster), ...storeFindings(root)];
}

function listening(cluster: unknown, has: (key: string) => boolean): Finding[] {
  const silentMs = property(cluster, 'silentMs');
  const late = typeof silentMs === 'number' && silentMs < LEAST_DEAD_MS;
  return [
    ...['nodes', 'index'].flatMap((key) => (has(key) ? [misplaced(key, 'does not go with listen')] : [])),
    ...(late ? [outOfRange(at('silentMs'), `silentMs has to be at least ${LEAST_DEAD_MS} with listen`)] : []),
  ];
}

function listed(cluster: unknown, has: (key: string) => boolean): Finding[] {
  const findings = ['lockMs', 'rowLocks'].flatMap((key) =>
    has(key) ? [misplaced(key, 'goes with listen alone')] : [],
  );
  if (!has('nodes')) {
    const other = has('index') ? '' : ', or "listen" for nodes that come and go';
    return [
      missing('nodes', `expected where each node listens, such as ["10.0.0.5:7700"]${other}`),
      ...findings,
    ];
  }
  if (!has('index')) findings.push(missing('index', 'expected the place of this node in nodes, from 0'));
  const [nodes, index] = [property(cluster, 'nodes'), property(cluster, 'index')];
  if (!Array.isArray(nodes)) return findings;
  for (const [n, node] of nodes.entries())
    if (typeof node === 'string' && nodes.indexOf(node) !== n)
      findings.push(
        outOfRange(at('nodes', n), `${printName(node)} is there twice; each node has a place of its own`),
      );
  if (typeof index === 'number' && index >= nodes.length && nodes.length > 0)
    findings.push(outOfRange(at('index'), `index ${index} is no place in nodes, which has ${nodes.length}`));
  return findings;
}

/** Whoever reaches the port of a node could send events to every agent. */
function plainFindings(cluster: unknown): Finding[] {
  if (property(cluster, 'tls') !== undefined) return [];
  const nodes = property(cluster, 'nodes');
  const places: [ConfigPath, unknown][] = [
    [at('listen'), property(cluster, 'listen')],
    ...(Array.isArray(nodes) ? nodes.map((node, n): [ConfigPath, unknown] => [at('nodes', n), node]) : []),
  ];
  const outside = places.find(([, place]) => {
    const host = nodeAddress(place)?.host;
    return host !== undefined && !isLoopback(host);
  });
  if (outside === undefined) return [];
  const message =
    'a node is reached over a network, where whoever reaches its port could send events to every agent; write "tls"';
  return [{ code: 'cluster-plain', path: outside[0], at: 'value', message }];
}

function storeFindings(root: unknown): Finding[] {
  if (property(property(root, 'store'), 'type') !== 'sqlite') return [];
  const message =
    'the nodes of a cluster share a store, and a file of SQLite is for one process; use a store of the type "postgres"';
  return [{ code: 'wrong-mode', path: ['cluster'], at: 'key', message, related: ['store', 'type'] }];
}

function misplaced(key: string, why: string): Finding {
  return {
    code: 'wrong-mode',
    path: at(key),
    at: 'key',
    message: `${printName(key)} ${why}; remove one of them`,
  };
}

function missing(key: string, what: string): Finding {
  return {
    code: 'missing-key',
    path: at(key),
    at: 'value',
    message: `missing key ${printName(key)}; ${what}`,
  };
}

function outOfRange(path: ConfigPath, message: string): Finding {
  return { code: 'out-of-range', path, at: 'value', message };
}
