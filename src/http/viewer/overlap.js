// How two masks of one scan agree: structures matched one to one, Dice, and where they differ. The rules are those of
// docs/evaluation.md.

/** Structures that overlap less than this are no match. */
const LEAST_DICE = 0.1;
const LABELS = 256;

/** How the two masks meet in a voxel, and how that is coloured; "other": as two structures that are no match. */
export const DIFFERENCES = [
  { name: "truth", colour: [230, 159, 0], opacity: 1 },
  { name: "predicted", colour: [86, 180, 233], opacity: 1 },
  { name: "both", colour: [0, 158, 115], opacity: 0.6 },
  { name: "other", colour: [213, 60, 150], opacity: 1 },
];

/** Voxels with each pair of labels: true × 256 + predicted. */
export function countPairs(truth, predicted) {
  const counts = new Uint32Array(LABELS * LABELS);
  for (let n = 0; n < truth.length; n += 1) counts[truth[n] * LABELS + predicted[n]] += 1;
  return counts;
}

/** `{structures, extra}` from these counts: of every true label `{label, members, voxels, dice, predicted}`, whose `predicted` is
 * the number of the matched structure or null, and whose members are the label itself; and numbers of predicted structures
 * without a match, with their voxels. */
export function matched(counts, values) {
  const [truth, predicted] = [new Float64Array(LABELS), new Float64Array(LABELS)];
  counts.forEach((count, pair) => {
    truth[pair >> 8] += count;
    predicted[pair & 255] += count;
  });
  const pairs = [];
  counts.forEach((both, pair) => {
    const [t, p] = [pair >> 8, pair & 255];
    const dice = (2 * both) / (truth[t] + predicted[p]);
    if (t > 0 && p > 0 && both > 0 && dice >= LEAST_DICE) pairs.push({ t, p, both, dice });
  });
  // Those with the most common voxels first; of equals, the smaller true label, then the smaller predicted value.
  pairs.sort((a, b) => b.both - a.both || a.t - b.t || values[a.p] - values[b.p]);
  const [ofTruth, taken] = [new Map(), new Set()];
  for (const pair of pairs) {
    if (ofTruth.has(pair.t) || taken.has(pair.p)) continue;
    ofTruth.set(pair.t, pair);
    taken.add(pair.p);
  }
  const present = (sizes) => [...sizes.keys()].filter((label) => label > 0 && sizes[label] > 0);
  const structures = present(truth).map((label) => ({ label, members: [label], voxels: truth[label], dice: ofTruth.get(label)?.dice ?? 0, predicted: ofTruth.get(label)?.p ?? null }));
  const extra = present(predicted).filter((number) => !taken.has(number)).map((number) => ({ number, voxels: predicted[number] }));
  return { structures, extra };
}

/** The same for a semantic mask: `groups` are the classes in the order of its values from 1 on, and `groupOf(label)` is that of a
 * true label. Its structures are classes, whose members are true labels. */
export function matchedByClass(counts, values, groups, groupOf) {
  const wrong = values.find((value) => value > groups.length);
  if (wrong !== undefined) throw new Error(`the mask holds ${wrong}, and a mask of classes 1 to ${groups.length} only`);
  const numberOf = (value) => (values.includes(value) ? values.indexOf(value) : null);
  const sum = (labels, numbers) => labels.reduce((all, label) => numbers.reduce((voxels, number) => voxels + counts[label * LABELS + number], all), 0);
  const labels = Array.from({ length: LABELS }, (_, label) => label);
  const classes = groups.map((group, n) => {
    const members = labels.filter((label) => label > 0 && groupOf(label) === group && sum([label], labels) > 0);
    const number = numberOf(n + 1);
    const [voxels, predicted, both] = [sum(members, labels), number === null ? 0 : sum(labels, [number]), number === null ? 0 : sum(members, [number])];
    const dice = (2 * both) / (voxels + predicted);
    const isMatch = both > 0 && dice >= LEAST_DICE;
    return { label: n + 1, group, members, voxels, number, size: predicted, dice: isMatch ? dice : 0, predicted: isMatch ? number : null };
  });
  const extra = classes.filter(({ size, predicted }) => size > 0 && predicted === null).map(({ number, size }) => ({ number, voxels: size }));
  return { structures: classes.filter(({ voxels }) => voxels > 0), extra };
}

/** Colours, 0xAABBGGRR, by true × 256 + predicted. Structures whose true label is hidden have none. */
export function differenceColours({ structures }, isHidden) {
  const [truth, predicted, both, other] = DIFFERENCES.map(({ colour: [red, green, blue], opacity }) => ((Math.round(255 * opacity) << 24) | (blue << 16) | (green << 8) | red) >>> 0);
  const colours = new Uint32Array(LABELS * LABELS).fill(other);
  const hiddenNumbers = new Set();
  colours.fill(predicted, 0, LABELS);
  for (let label = 1; label < LABELS; label += 1) colours[label * LABELS] = truth;
  for (const { members, predicted: number } of structures) {
    for (const label of members) {
      if (number !== null) colours[label * LABELS + number] = both;
      if (isHidden(label)) colours.fill(0, label * LABELS, (label + 1) * LABELS);
    }
    if (number !== null && members.every(isHidden)) hiddenNumbers.add(number);
  }
  for (const number of hiddenNumbers) colours[number] = 0;
  colours[0] = 0;
  return colours;
}
