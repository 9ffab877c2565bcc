import type { Reporter, TestModule } from 'vitest/node';

const SHOWN = 10;

/** Prints the files that took longest, with their share of the time of all files: what is worth to be made faster. */
export default class SlowestFiles implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (modules.length <= SHOWN) return;
    const taken = modules.map((module) => {
      const { duration, collectDuration, environmentSetupDuration, prepareDuration, setupDuration } =
        module.diagnostic();
      const ms = duration + collectDuration + environmentSetupDuration + prepareDuration + setupDuration;
      return { ms, name: module.relativeModuleId };
    });
    const all = taken.reduce((sum, { ms }) => sum + ms, 0);
    console.log(`The slowest of ${taken.length} files, which took ${seconds(all)} in all:`);
    for (const { ms, name } of taken.toSorted((one, other) => other.ms - one.ms).slice(0, SHOWN)) {
      console.log(`${seconds(ms).padStart(9)} ${((ms / all) * 100).toFixed(1).padStart(5)} %  ${name}`);
    }
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
