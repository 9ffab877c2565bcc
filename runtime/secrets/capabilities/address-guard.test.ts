import { expect, test } from 'vitest';
import { addressGuard, loopbackGuard } from './address-guard.ts';

const guard = addressGuard([]);

test.each([
  ['8.8.8.8', '1.1.1.1', '172.15.255.255', '172.32.0.1', '100.63.255.255', '192.0.1.1', '223.255.255.255'],
  ['2606:4700::1111', '2a00:1450:4001::200e', '2001:4860:4860::8888', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8'],
])('public addresses are let through', (...addresses) => {
  for (const address of addresses) expect.soft(guard(address), address).toBe(true);
});

test.each([
  [
    'this machine',
    ['127.0.0.1', '127.255.0.1', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:7f00:0001'],
  ],
  ['no machine', ['0.0.0.0', '0.1.2.3', '::', '255.255.255.255', '240.0.0.1', '::ffff:0.0.0.0']],
  [
    'private networks',
    ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fd00::1', 'fc00::1', '::ffff:10.0.0.1'],
  ],
  ['link-local ones', ['169.254.0.1', 'fe80::1', 'fe80::1%eth0', '::ffff:169.254.1.1', 'febf::1']],
  [
    'metadata services',
    [
      '169.254.169.254',
      'fd00:ec2::254',
      '168.63.129.16',
      '100.100.100.200',
      '192.0.0.192',
      '::ffff:a9fe:a9fe',
    ],
  ],
  ['carriers', ['100.64.0.1', '100.127.255.255', '198.18.0.1', '198.19.255.255']],
  ['behind NAT64', ['64:ff9b::10.0.0.1', '64:ff9b::a9fe:a9fe', '64:ff9b::7f00:1', '64:ff9b:1::1']],
  ['in tunnels', ['2002:7f00:1::', '2002:a00:1::1', '2001:0:1::', '2001::1']],
  ['for documentation', ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1']],
  ['for many', ['224.0.0.1', '239.255.255.255', 'ff02::1']],
  ['compatible and deprecated', ['::8.8.8.8', '::7f00:1', 'fec0::1', '100::1']],
  [
    'no addresses',
    ['', 'localhost', '127.1', '0x7f000001', '2130706433', '1.2.3', '8.8.8.8 ', '[::1]', '127.0.0.1:80'],
  ],
])('what leads to %s is not', (_, addresses) => {
  for (const address of addresses) expect.soft(guard(address), address).toBe(false);
});

test('what is listed is let through as well, and nothing beside it', () => {
  const listed = addressGuard(['10.0.0.7', '192.168.0.0/16', 'fd00::/8', '::1']);
  for (const address of ['10.0.0.7', '192.168.3.4', 'fd12::1', '::1', '8.8.8.8'])
    expect(listed(address)).toBe(true);
  for (const address of ['10.0.0.8', '192.169.0.1', '127.0.0.1', 'fe80::1', '169.254.169.254']) {
    expect(listed(address)).toBe(address === '192.169.0.1');
  }
});

test('plain http gets no further than this machine', () => {
  for (const address of ['127.0.0.1', '127.8.8.8', '::1']) expect(loopbackGuard(address)).toBe(true);
  for (const address of ['8.8.8.8', '10.0.0.1', '0.0.0.0', '2606:4700::1111', 'x'])
    expect(loopbackGuard(address)).toBe(false);
});
