import { expect, test } from 'vitest';
import { defectsOf } from './fixtures/chart-defects.ts';
import { laidOut } from './fixtures/elk.ts';
import type { Area, ChartLayout } from './page/chart-layout.ts';

const config = {
  id: 'm',
  initial: 'a',
  states: {
    a: { on: { GO: 'b', HOP: 'c' } },
    b: { initial: 'x', states: { x: { on: { N: 'y' } }, y: {} }, on: { BACK: 'a' } },
    c: {},
  },
};

const moved = (area: Area | undefined, to: Partial<Area>): Area => ({ ...(area as Area), ...to });

/** Each makes of a chart without a defect one that has it. */
const faults: [string, RegExp, (layout: ChartLayout) => ChartLayout][] = [
  [
    'states over each other',
    /^m\.a over m\.c$/,
    (layout) => ({ ...layout, boxes: new Map([...layout.boxes, ['m.c', layout.boxes.get('m.a') as Area]]) }),
  ],
  [
    'a state outside the one that it is in',
    /^m\.b\.x outside m\.b$/,
    (layout) => ({
      ...layout,
      boxes: new Map([...layout.boxes, ['m.b.x', moved(layout.boxes.get('m.b.x'), { x: 0 })]]),
    }),
  ],
  [
    'an edge through a state',
    /^m\.a → m\.c through m\.b\.x$/,
    (layout) =>
      withRoute(layout, 'm.c', ({ boxes }) => {
        const { x, y, width, height } = boxes.get('m.b.x') as Area;
        return {
          points: [
            { x: x - 5, y: y + height / 2 },
            { x: x + width + 5, y: y + height / 2 },
          ],
        };
      }),
  ],
  [
    'an edge without a way',
    /^m\.a → m\.c has no way$/,
    (layout) => withRoute(layout, 'm.c', () => ({ points: [] })),
  ],
  [
    'a label off its edge',
    /^the label of m\.a → m\.c off its edge$/,
    (layout) => withRoute(layout, 'm.c', () => ({ label: { x: 13, y: 40, width: 4, height: 4 } })),
  ],
  [
    'a label that another edge strikes',
    /^the label of m\.a → m\.c under m\.a → m\.b$/,
    (layout) =>
      withRoute(layout, 'm.c', ({ routes }) => {
        const [p, q] = routes.find(({ edge }) => edge.to === 'm.b')?.points ?? [];
        return { label: { x: ((p?.x ?? 0) + (q?.x ?? 0)) / 2 - 4, y: (p?.y ?? 0) - 4, width: 8, height: 8 } };
      }),
  ],
  [
    'a label over a state',
    /^the label of m\.a → m\.c over m\.a$/,
    (layout) => withRoute(layout, 'm.c', ({ boxes }) => ({ label: boxes.get('m.a') })),
  ],
];

function withRoute(
  layout: ChartLayout,
  to: string,
  change: (layout: ChartLayout) => Partial<ChartLayout['routes'][number]>,
): ChartLayout {
  const routes = layout.routes.map((route) =>
    route.edge.to === to ? Object.assign({}, route, change(layout)) : route,
  );
  return { ...layout, routes };
}

test.each(faults)('%s is found', async (_, found, broken) => {
  const layout = await laidOut(config);
  expect(defectsOf(layout)).toEqual([]);
  expect(defectsOf(broken(layout))).toContainEqual(expect.stringMatching(found));
});
