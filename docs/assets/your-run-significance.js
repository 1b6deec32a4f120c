// The page "Your run": do two networks differ, or was it luck? As lineage_lab.significance, which
// tells what is done and from which papers.
"use strict";

(() => {
  const { mean, fixed, signed } = window.lineageLab.numbers;
  const LEVEL = 0.05;
  const MOST_FREEDOM = 1000;
  const NORMAL = 1.9599639845400536; // the normal distribution's 97.5 %

  // McNemar's exact test, by logarithms: the binomials of many images are no doubles.
  function mcnemar(one, other) {
    const number = one + other;
    let term = -number * Math.LN2;
    let tail = 0;
    for (let k = 0; k <= Math.min(one, other); k += 1) {
      tail += Math.exp(term);
      term += Math.log((number - k) / (k + 1));
    }
    return Math.min(1, 2 * tail);
  }

  function holm(values) {
    const corrected = values.map(() => 1);
    let least = 0;
    [...values.keys()].sort((a, b) => values[a] - values[b]).forEach((index, rank) => {
      least = Math.max(least, Math.min(1, (values.length - rank) * values[index]));
      corrected[index] = least;
    });
    return corrected;
  }

  // P(|T| <= |t|) of Student's t.
  function within(t, freedom) {
    const angle = Math.atan(Math.abs(t) / Math.sqrt(freedom));
    let term = freedom % 2 ? Math.cos(angle) : 1;
    let total = freedom > 1 ? term : 0;
    for (let k = freedom % 2 ? 3 : 2; k < freedom - 1; k += 2) {
      term *= ((k - 1) / k) * Math.cos(angle) ** 2;
      total += term;
    }
    const share = Math.sin(angle) * total;
    return freedom % 2 ? (2 / Math.PI) * (angle + share) : share;
  }

  function quantile(freedom) {
    let [low, high] = [0, Math.PI / 2];
    for (let i = 0; i < 60; i += 1) {
      const middle = (low + high) / 2;
      if (within(Math.tan(middle), freedom) < 1 - LEVEL) low = middle;
      else high = middle;
    }
    return Math.tan(low);
  }

  const share = (correct) => correct.reduce((sum, right) => sum + right, 0) / correct.length;

  function ofImages([b, c, images]) {
    const [one, other, n] = [b + 0.5, c + 0.5, images + 2];
    return (one + other - (one - other) ** 2 / n) / n ** 2;
  }

  function differ(first, second, names, trained, drawnBySeed) {
    const found = first.map((seed, i) => share(seed) - share(second[i]));
    const tables = first.map((seed, i) => [
      seed.filter((right, k) => right && !second[i][k]).length,
      seed.filter((right, k) => !right && second[i][k]).length,
      seed.length,
    ]);
    const variance = mean(tables.map(ofImages));
    const seeds = found.length;
    let points = mean(found);
    let [p, low, high] = [0, 0, 0];
    if (seeds === 1) {
      const [b, c, n] = tables[0];
      const half = NORMAL * Math.sqrt(variance);
      p = mcnemar(b, c);
      [low, high] = [(b - c) / (n + 2) - half, (b - c) / (n + 2) + half];
    } else {
      const spread = found.reduce((sum, value) => sum + (value - points) ** 2, 0) / (seeds - 1);
      const luck = spread / seeds;
      let [squared, freedom] = [luck + variance, 0];
      if (drawnBySeed) {
        const size = mean(tables.map((table) => table[2]));
        squared = Math.max((1 / seeds + size / trained) * spread, variance / seeds);
        freedom = seeds - 1;
      } else {
        const exactly = luck ? squared ** 2 / (luck ** 2 / (seeds - 1)) : MOST_FREEDOM;
        freedom = Math.trunc(Math.min(MOST_FREEDOM, exactly));
      }
      p = 1 - within(points / Math.sqrt(squared), freedom);
      const half = quantile(freedom) * Math.sqrt(squared);
      [low, high] = [points - half, points + half];
    }
    if (points < 0) [names, points, low, high] = [[names[1], names[0]], -points, -high, -low];
    return { names, points: 100 * points, low: 100 * Math.max(low, -1), high: 100 * Math.min(high, 1), p, seeds };
  }

  function words(one, p, pairs) {
    const [first, second] = one.names;
    const interval = `(95 % interval ${signed(one.low)} to ${signed(one.high)})`;
    const sure = (p < 0.0005 ? "p < 0.001" : `p = ${fixed(p, 3)}`)
      + (pairs > 1 ? `, corrected for ${pairs} pairs` : "")
      + (one.seeds === 1 ? "; one training of each, so another may differ" : "");
    if (p < LEVEL) return `${first} is better than ${second} by ${fixed(one.points, 1)} points ${interval}, ${sure}.`;
    const where = one.points ? `${first} is ${fixed(one.points, 1)} points ahead` : "they are level in this run";
    return `No difference between ${first} and ${second} is shown: ${where} ${interval}, ${sure}.`;
  }

  // For each pair of rows, in their order, what the difference is worth.
  function differences(result) {
    const correct = result.rows.map((row) => row.runs.map((run) => run.answers.map((a, i) => a === run.truth[i])));
    const { train, drawn_by_seed: drawn } = result.data;
    const found = [];
    result.rows.forEach((row, i) => result.rows.slice(i + 1).forEach((other, k) => {
      found.push(differ(correct[i], correct[i + 1 + k], [row.name, other.name], train, drawn));
    }));
    const corrected = holm(found.map((one) => one.p));
    return found.map((one, i) => ({ isShown: corrected[i] < LEVEL, words: words(one, corrected[i], found.length) }));
  }

  Object.assign(window.lineageLab, { significance: { differences } });
})();
