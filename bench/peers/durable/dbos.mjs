// A counter for each key as a row of Postgres, which a workflow of one step of DBOS adds to. Called directly, as its manual shows: its
// queues, which can keep a key in order, look for work each second.
import { DBOS } from '@dbos-inc/dbos-sdk';
import pg from 'pg';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export const start = async ({ url, keys }) => {
  const pool = new pg.Pool({ connectionString: url });
  // At the end, what the server says to a connection may come before the end of it.
  pool.on('error', () => {});
  await pool.query('create table counters (key int primary key, count int not null)');
  await pool.query('insert into counters select n, 0 from generate_series(0, $1) n', [keys - 1]);
  const increment = async (key) => {
    const { rows } = await pool.query({
      name: 'add',
      text: 'update counters set count = count + 1 where key = $1 returning count',
      values: [key],
    });
    return rows[0].count;
  };
  const add = DBOS.registerWorkflow((key) => DBOS.runStep(() => increment(key), { name: 'increment' }), {
    name: 'add',
  });
  DBOS.setConfig({
    name: 'bench',
    applicationVersion: '1',
    systemDatabaseUrl: url,
    logger: silent,
  });
  await DBOS.launch();
  return {
    // As the method of an object, it would look for an instance of DBOS's own.
    add: (key) => add(key),
    totals: async () => {
      const { rows } = await pool.query('select count from counters order by key');
      return rows.map(({ count }) => count);
    },
    stop: async () => {
      await DBOS.shutdown();
      await pool.end();
    },
  };
};
