import { awsHelp } from './aws-help.ts';
import { runDesk } from './desk.ts';
import { readOpenclaw } from './desk-config.ts';
import { readOptions, usage, type DeskOptions } from './options.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: DeskOptions | undefined;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (options === undefined) {
    console.log(usage);
    return 0;
  }
  try {
    return await runDesk(options, process.stdout);
  } catch (error) {
    const region = options.region ?? (await readOpenclaw()).externalSecrets.region;
    const help = options.aws ? awsHelp(error, options.secretId, region) : undefined;
    if (help === undefined) throw error;
    console.error(help);
    return 1;
  }
}
