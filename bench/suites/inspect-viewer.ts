import { launch } from '../../runtime/inspect/local/fixtures/browser.ts';
import { median, percentile } from '../lib/rounds.ts';

/** Milliseconds from one frame of the page to the next. */
export interface Frames {
  readonly median: number;
  readonly p95: number;
}

export interface InspectViewer {
  readonly what: string;
  /** Milliseconds from the link to the first row that can be chosen, and those of its main thread's processor in that time. */
  readonly opened: { readonly ms: number; readonly cpuMs: number };
  /** Megabytes of its heap, after what is not needed any more was collected. */
  heap(): Promise<number>;
  /** Since the last time. */
  frames(): Promise<Frames>;
  close(): Promise<void>;
}

/** Opens the page in a real browser, which counts its frames. */
export async function openViewer(link: string): Promise<InspectViewer> {
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const devtools = await page.context().newCDPSession(page);
  const metric = async (name: string): Promise<number> => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    return metrics.find((one) => one.name === name)?.value ?? NaN;
  };
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const began = performance.now();
  await page.goto(link);
  await page.locator('.row.instance').first().waitFor();
  const opened = { ms: performance.now() - began, cpuMs: (await metric('TaskDuration')) * 1000 };
  await page.evaluate(`(() => {
    window.frames_ = [];
    let before = performance.now();
    const next = (now) => {
      window.frames_.push(now - before);
      before = now;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  })()`);
  return {
    what: `Chromium ${browser.version()}`,
    opened,
    async heap() {
      await devtools.send('HeapProfiler.collectGarbage');
      return (await metric('JSHeapUsedSize')) / 2 ** 20;
    },
    async frames() {
      const times = await page.evaluate<number[]>('window.frames_.splice(0)');
      const sorted = times.toSorted((a, b) => a - b);
      return { median: median(sorted), p95: percentile(sorted, 0.95) };
    },
    close: () => browser.close(),
  };
}
