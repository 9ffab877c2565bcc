import { BlockList, isIP } from 'node:net';

/**
 * IPv4 networks that are not public: IANA's registry of special-purpose addresses, multicast, and the address at which
 * Azure answers its own machines.
 */
const NOT_PUBLIC_4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
/** Networks within `2000::/3`, outside of which nothing is public: protocols (Teredo), documentation, 6to4. */
const NOT_PUBLIC_6: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];
/** IPv6 addresses that stand for an IPv4 one: mapped, and behind the well-known prefix of NAT64. */
const EMBEDDING = ['::ffff:', '64:ff9b::'] as const;

const notPublic = blockList([
  ...NOT_PUBLIC_4,
  ...NOT_PUBLIC_6,
  ...EMBEDDING.flatMap((head) =>
    NOT_PUBLIC_4.map(([network, prefix]) => [`${head}${network}`, 96 + prefix] as const),
  ),
]);
const maybePublic = blockList([
  ['0.0.0.0', 0],
  ['2000::', 3],
  ...EMBEDDING.map((head) => [`${head}0.0.0.0`, 96] as const),
]);

/** Decides to which addresses a connection may be made. */
export type AddressGuard = (address: string) => boolean;

/** Allows public addresses, and those that are listed: addresses, and networks such as `10.0.0.0/8`. */
export function addressGuard(listed: readonly string[]): AddressGuard {
  const allowed = blockList(
    listed.map((written) => {
      const [address = '', prefix] = written.split('/');
      return [address, prefix === undefined ? (isIP(address) === 6 ? 128 : 32) : Number(prefix)] as const;
    }),
  );
  return (address) =>
    (within(maybePublic, address) && !within(notPublic, address)) || within(allowed, address);
}

/** Allows nothing but this machine itself. */
export const loopbackGuard: AddressGuard = (address) => within(loopback, address);

const loopback = blockList([
  ['127.0.0.0', 8],
  ['::1', 128],
]);

function within(list: BlockList, address: string): boolean {
  // The part after % names the interface of the address.
  const [bare = ''] = address.split('%');
  const family = isIP(bare);
  return family !== 0 && list.check(bare, family === 6 ? 'ipv6' : 'ipv4');
}

function blockList(networks: readonly (readonly [network: string, prefix: number])[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of networks) {
    list.addSubnet(network, prefix, isIP(network) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
