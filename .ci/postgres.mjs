// Installs Debian's PostgreSQL and PgBouncer when there are none, for the tests of the store in a database. Where that is
// impossible they are skipped, and say so. The tests start servers of their own; Debian's is not used.
import { existsSync, readdirSync } from 'node:fs';
import { installPackages } from './debian.mjs';

const folder = '/usr/lib/postgresql';
const isThere = () =>
  process.env.HOLDFAST_POSTGRES !== undefined ||
  (existsSync(folder) &&
    readdirSync(folder).some((version) => existsSync(`${folder}/${version}/bin/initdb`)));
const hasPooler = () => existsSync('/usr/sbin/pgbouncer') || existsSync('/usr/bin/pgbouncer');

if (!isThere() || !hasPooler()) {
  console.error('holdfast: installing postgresql and pgbouncer for the tests of the store in a database');
  installPackages('postgresql', 'pgbouncer');
}
if (!isThere()) console.error('holdfast: NO POSTGRESQL, so the tests of the store in a database are skipped');
else if (!hasPooler()) console.error('holdfast: NO PGBOUNCER, so its test is skipped');
