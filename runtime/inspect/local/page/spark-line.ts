import { svg } from './dom.ts';

const WIDTH = 90;
const HEIGHT = 20;

export interface SparkOptions {
  /** The end of the line, and how long it is, in milliseconds. */
  readonly until: number;
  readonly ms: number;
  /** The least that the whole height is worth. */
  readonly least: number;
  /** What it shows, for who does not see it. */
  readonly label: string;
}

type Point = readonly [at: number, value: number | undefined];

/** A small line of values over time; where there is none it has a gap. */
export function sparkLine(points: readonly Point[], { until, ms, least, label }: SparkOptions): SVGElement {
  const most = points.reduce((most, [, value = 0]) => Math.max(most, value), least);
  const picture = svg('svg', {
    class: 'spark',
    width: WIDTH,
    height: HEIGHT,
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: 'img',
    'aria-label': label,
  });
  picture.append(svg('title', {}, label), svg('path', { d: sparkPath(points, { until, ms, most }) }));
  return picture;
}

export function sparkPath(
  points: readonly Point[],
  { until, ms, most }: { readonly until: number; readonly ms: number; readonly most: number },
): string {
  let path = '';
  let isDrawn = false;
  for (const [at, value] of points) {
    const isShown = value !== undefined && at >= until - ms;
    if (isShown) {
      const x = WIDTH - (Math.max(0, until - at) / ms) * WIDTH;
      const y = HEIGHT - 1 - (value / most) * (HEIGHT - 2);
      path += `${isDrawn ? 'L' : 'M'}${x.toFixed(1)},${y.toFixed(1)}`;
    }
    isDrawn = isShown;
  }
  return path;
}
