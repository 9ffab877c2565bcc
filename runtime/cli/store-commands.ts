import type { Command } from 'commander';
import type { StoreOptions } from './commands/store.ts';
import { DEFAULT_CONFIG } from './config-file.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

type Ending = <A extends unknown[]>(
  run: (...args: A) => ExitCode | Promise<ExitCode>,
) => (...given: A) => Promise<void>;

/** The commands of the store that a config names. */
export function addStoreCommands(program: Command, ending: Ending, terminal: Terminal): void {
  const store = program
    .command('store')
    .description('look after the store in which agents outlive the process');
  // SQLite is loaded for those alone who want it.
  const load = () => import('./commands/store.ts');
  const own = (name: string, description: string): Command =>
    store
      .command(name)
      .description(description)
      .option('-c, --config <file>', `the config (default: ${DEFAULT_CONFIG})`)
      .option('--json', 'as JSON');

  own(
    'check',
    'look at every page and row, and restore every state with the code at hand; exit code 1 when something is wrong',
  ).action(ending(async (options: StoreOptions) => (await load()).storeCheck(options, terminal)));
  own('backup', 'write a copy, also while a gateway runs')
    .argument('<file>', 'a name that is free')
    .action(
      ending(async (file: string, options: StoreOptions) =>
        (await load()).storeBackup(file, options, terminal),
      ),
    );
  own('restore', 'put a copy in the place of the store, which nobody may have open; what was there stays')
    .argument('<file>', 'the copy')
    .action(
      ending(async (file: string, options: StoreOptions) =>
        (await load()).storeRestore(file, options, terminal),
      ),
    );
  own('resume', 'let the instances of a store that was restored wake').action(
    ending(async (options: StoreOptions) => (await load()).storeResume(options, terminal)),
  );
  own('compact', 'write the store anew, if a third of it is free; nobody may have it open').action(
    ending(async (options: StoreOptions) => (await load()).storeCompact(options, terminal)),
  );
  own('rekey', 'encrypt all of it with a new key; nobody may have it open').action(
    ending(async (options: StoreOptions) => (await load()).storeRekey(options, terminal)),
  );
  own('export', 'write all of it as lines of JSON, also while a gateway runs')
    .argument('<file>', 'a name that is free')
    .action(
      ending(async (file: string, options: StoreOptions) =>
        (await load()).storeExport(file, options, terminal),
      ),
    );
  own('forget', 'delete everything of one instance; nobody may have the store open')
    .argument('<address>', 'agent/id')
    .action(
      ending(async (address: string, options: StoreOptions) =>
        (await load()).storeForget(address, options, terminal),
      ),
    );
}
