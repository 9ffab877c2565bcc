// The test kit, without threads and on real ones.
import { HoldfastError } from 'holdfast';
import { createTestRuntime } from 'holdfast/testing';

const seen: unknown[] = [];
for (const threads of [false, true]) {
  const runtime = await createTestRuntime('./openclaw.json', { threads });
  const echo = await runtime.spawn('echo');
  const failed = await echo.ask({ type: 'fail' }).catch((error: unknown) => error);
  seen.push([await echo.ask({ type: 'echo', value: 'hello' }), failed instanceof HoldfastError]);
  await runtime.stop();
}
console.log(JSON.stringify(seen));
