import { Tinypool } from 'tinypool';

export const start = async (threads) => {
  const pool = new Tinypool({
    filename: new URL('task.mjs', import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
  });
  return { run: (task) => pool.run(task), stop: () => pool.destroy() };
};
