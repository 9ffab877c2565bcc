import { z } from 'zod';
import { nodeAddress } from '../base/node-address.ts';
import { flag, integer, meaning, text } from './fields.ts';

/** The nodes that share the store, as written in a config; see `docs/cluster.md`. */
export type ClusterConfig = StaticClusterConfig | EffectClusterConfig;

interface ClusterLinkConfig {
  /** Files with PEM texts, relative to the config file. Required unless all nodes are on loopback. Default: nodes show each other nothing. */
  readonly tls?:
    | {
        /** The certificates of who may sign for nodes. */
        readonly ca: string;
        /** The certificate of this node. */
        readonly cert: string;
        /** The key of that. */
        readonly key: string;
      }
    | undefined;
  /** Milliseconds after which a node that says nothing is not reached; at least 100, with `listen` 2000. Default: 3000. */
  readonly silentMs?: number | undefined;
}

/** Nodes of which there is a list, the same in the config of each. */
export interface StaticClusterConfig extends ClusterLinkConfig {
  /** Where each node listens for the others, `host:port`; 1 to 64, in the same order on all of them. */
  readonly nodes: readonly string[];
  /** The place of this node in the list, from 0; such as `'${NODE_INDEX}'`, where all have the same file. */
  readonly index: number;
  readonly listen?: undefined;
}

/** Nodes that come and go, by Effect's cluster. */
export interface EffectClusterConfig extends ClusterLinkConfig {
  /** Where this node listens, and the others reach it, `host:port`; such as `'${POD_IP}:7700'`. */
  readonly listen: string;
  /** Milliseconds for which the database may be away before a node lets its addresses go. From 3000 to 20000. Default: 6000. */
  readonly lockMs?: number | undefined;
  /** Whether locks are rows of a table, for a pooler in transaction mode. Default: false. */
  readonly rowLocks?: boolean | undefined;
  readonly nodes?: undefined;
  readonly index?: undefined;
}

/** The most nodes, as the store knows them by their number. */
const MOST_NODES = 64;

const place = (): z.ZodString =>
  z
    .string('host:port, such as "10.0.0.5:7700"')
    .refine((value) => nodeAddress(value) !== undefined, 'host:port, such as "10.0.0.5:7700"');

/** Which keys go together is checked in `cluster-checks.ts`. */
export const clusterSchema = z
  .strictObject({
    nodes: z
      .array(place())
      .min(1, `1 to ${MOST_NODES} nodes`)
      .max(MOST_NODES, `1 to ${MOST_NODES} nodes`)
      .readonly()
      .optional()
      .register(
        ...meaning(
          'Where each node listens for the others, host:port; the same list, in the same order, on all of them. Default: none; listen instead.',
        ),
      ),
    index: integer(0, MOST_NODES - 1)
      .optional()
      .register(...meaning('With nodes, and required there: the place of this node in the list, from 0.')),
    listen: place()
      .optional()
      .register(
        ...meaning(
          "For nodes that come and go, by Effect's cluster: where this node listens and the others reach it, host:port. Default: none; nodes and index instead.",
        ),
      ),
    lockMs: integer(3000, 20_000)
      .optional()
      .register(
        ...meaning(
          'With listen: milliseconds for which the database may be away before a node lets its addresses go; the same on all nodes. Default: 6000.',
        ),
      ),
    rowLocks: flag()
      .optional()
      .register(
        ...meaning(
          'With listen: whether locks are rows of a table, for a pooler in transaction mode; the same on all nodes. Default: false.',
        ),
      ),
    silentMs: integer(100)
      .optional()
      .register(
        ...meaning(
          'Milliseconds after which a node that says nothing is not reached; with listen at least 2000. Default: 3000.',
        ),
      ),
    tls: z
      .strictObject({
        ca: text().describe('The file with the certificates of who may sign for nodes, PEM.'),
        cert: text().describe('The file of the certificate of this node, PEM.'),
        key: text().describe('The file of the key of cert, PEM.'),
      })
      .optional()
      .register(
        ...meaning(
          'What nodes show each other: files relative to the config file, read at the start. Required unless all nodes are on loopback. Default: nothing.',
        ),
      ),
  })
  .register(
    ...meaning(
      'Makes this process one of several that share a store in PostgreSQL: nodes and index, or listen. Default: it is alone.',
    ),
  );
