import { launch } from '../../runtime/inspect/local/fixtures/browser.ts';
import { median, percentile } from '../lib/rounds.ts';

/** Milliseconds from one frame of the page to the next. */
export interface Frames {
  readonly median: number;
  readonly p95: number;
}

export interface InspectViewer {
  readonly what: string;
  /** Since the last time. */
  frames(): Promise<Frames>;
  close(): Promise<void>;
}

/** Opens the page in a real browser, which counts its frames. */
export async function openViewer(link: string): Promise<InspectViewer> {
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(link);
  await page.locator('.row.instance').first().waitFor();
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
    async frames() {
      const times = await page.evaluate<number[]>('window.frames_.splice(0)');
      const sorted = times.toSorted((a, b) => a - b);
      return { median: median(sorted), p95: percentile(sorted, 0.95) };
    },
    close: () => browser.close(),
  };
}
