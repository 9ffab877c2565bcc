import { availableParallelism } from 'node:os';
import { spine } from './spine.ts';

const suites: Readonly<Record<string, (rounds: number) => Promise<boolean>>> = { spine };

const [name = 'spine', roundsText = '7'] = process.argv.slice(2);
const suite = suites[name];
if (suite === undefined) {
  console.error(`no benchmark is named "${name}"; there is ${Object.keys(suites).join(', ')}`);
  process.exit(2);
}
console.log(`Node ${process.version}, ${availableParallelism()} cores`);
process.exitCode = (await suite(Number(roundsText))) ? 0 : 1;
