#!/usr/bin/env bash
# elkjs 0.12.1.
# A label of an edge takes room by its `width` and `height`, which whoever lays out has measured. But when its `text` is missing or
# empty, both count for nothing: it gets no room and no place, and stays at 0, 0 over whatever is there. Nothing says so.
# Seen: between two boxes, a label of 200 by 20. With the text "x" the second box begins at 292 and the label at 72, 35;
# without a text the box begins at 72, and the label is at 0, 0.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund elkjs@0.12.1
cat >program.mjs <<'PROGRAM'
import ELK from 'elkjs';

const label = { id: 'label', width: 200, height: 20 };

/** Where the second box and the label are laid out. */
async function laidOut(text) {
  const graph = await new ELK().layout({
    id: 'root',
    layoutOptions: { 'elk.algorithm': 'layered', 'elk.direction': 'RIGHT', 'elk.edgeLabels.inline': 'true' },
    children: ['a', 'b'].map((id) => ({ id, width: 40, height: 40 })),
    edges: [{ id: 'edge', sources: ['a'], targets: ['b'], labels: [{ ...label, ...text }] }],
  });
  const [{ x, y }] = graph.edges[0].labels;
  return { box: graph.children[1].x, label: [x, y] };
}

const seen = { 'with a text': await laidOut({ text: 'x' }), empty: await laidOut({ text: '' }), none: await laidOut({}) };
console.log(seen);
const hasRoom = ({ box }) => box >= 40 + label.width;
const isSo =
  hasRoom(seen['with a text']) && [seen.empty, seen.none].every((one) => !hasRoom(one) && String(one.label) === '0,0');
process.exit(isSo ? 0 : 1);
PROGRAM
node program.mjs
