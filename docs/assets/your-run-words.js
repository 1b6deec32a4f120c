// The page "Your run": the table and the sentences of a comparison. The rules are those of
// lineage_lab.results, significance, exercises.finetune and beside; the tests hold the two to the
// same words.
"use strict";

(() => {
  const { mean, stdev, fixed, general } = window.lineageLab.numbers;
  const { RANDOM } = window.lineageLab.file;
  const unique = (values) => [...new Set(values)];
  const joined = (values) => unique(values).join(" / ");
  const all = (result) => result.rows.flatMap((row) => row.runs);
  const sorted = (values) => unique(values).sort();

  const of = (row) => ({
    accuracies: row.runs.map((run) => run.accuracy),
    percents: row.runs.map((run) => 100 * run.accuracy),
    seconds: row.runs.map((run) => run.seconds),
  });

  // --- lineage_lab.results
  const spread = (values, unit) => (values.length === 1
    ? `${fixed(values[0], 1)}${unit}`
    : `${fixed(mean(values), 1)} ± ${fixed(stdev(values), 1)}${unit}`);

  // The rarer of two classes, whose recall stands beside the accuracy; null for more classes.
  function rareClass(result) {
    const runs = all(result);
    if (result.data.classes.length !== 2 || !runs.every((run) => run.truth.length)) return null;
    const counts = [0, 1].map((label) => runs.reduce(
      (sum, run) => sum + run.truth.filter((truth) => truth === label).length, 0));
    if (!Math.min(...counts)) return null;
    return counts[0] < counts[1] ? 0 : 1;
  }

  const recalls = (row, label) => row.runs
    .map((run) => run.answers.filter((_, i) => run.truth[i] === label))
    .filter((found) => found.length)
    .map((found) => found.filter((answer) => answer === label).length / found.length);

  function line(row, energy, rare) {
    const joules = row.runs.filter((run) => run.energy_joules !== null).map((run) => run.energy_joules / 1000);
    const memory = row.runs.filter((run) => run.peak_memory !== null).map((run) => run.peak_memory);
    const rate = mean(row.runs.map((run) => run.images_trained / run.seconds));
    return [
      row.name,
      `${row.input_size.at(-1)} px`,
      spread(of(row).percents, " %"),
      ...(rare === null ? [] : [spread(recalls(row, rare).map((share) => 100 * share), " %")]),
      spread(of(row).seconds, " s"),
      `${fixed(rate, 1)} (${sorted(row.runs.map((run) => run.precision)).join("/")})`,
      `${fixed(row.parameters / 1e6, 2)} M`,
      row.macs >= 1e8 ? `${fixed(row.macs / 1e9, 2)} G` : `${fixed(row.macs / 1e6, 2)} M`,
      memory.length ? `${fixed(Math.max(...memory) / 2 ** 30, 1)} GiB` : "–",
      ...(energy ? [joules.length ? spread(joules, " kJ") : "–"] : []),
      row.weights,
    ];
  }

  function cells(result) {
    const energy = all(result).some((run) => run.energy_joules !== null);
    const rare = rareClass(result);
    return [
      ["network", "input", "accuracy", ...(rare === null ? [] : [`${result.data.classes[rare]} found`]), "time",
        "images/s", "parameters", "MACs", "peak memory", ...(energy ? ["energy"] : []), "weights"],
      ...result.rows.map((row) => line(row, energy, rare)),
    ];
  }

  function budget(recipe) {
    if (recipe.has("minutes") && recipe.get("minutes") !== null) return `${general(recipe.get("minutes"))} minute(s)`;
    const head = recipe.get("head_epochs") ?? 0;
    return `${recipe.get("epochs")} epoch(s)${head ? ` after ${head} of the head alone` : ""}`;
  }

  const settings = (recipe) => JSON.stringify([...recipe].sort(([a], [b]) => (a < b ? -1 : 1)));
  const isRandom = (result) => result.rows.some((row) => row.weights === RANDOM);

  function caption(result) {
    const { data, rows } = result;
    const seeds = rows[0].runs.length;
    const several = seeds > 1;
    return `${data.name}: ${fixed(data.train, 0, true)} images to train on, `
      + `${fixed(data.val, 0, true)} to validate with, `
      + `${unique(rows.map((row) => budget(row.recipe))).join(" or ")}, ${seeds} seed${several ? "s" : ""}`
      + `${several ? " (mean ± standard deviation)" : ""}, `
      + `${data.drawn_by_seed ? "split by seed" : "the data set's own split"}`
      + (data.grouped_by ? `, each of ${fixed(data.groups, 0, true)} groups by ${data.grouped_by} on one side` : "")
      + "."
      + (unique(rows.map((row) => settings(row.recipe))).length > 1 ? " Each family with its own recipe." : "")
      + (result.limit !== null ? " A limited run, not the whole set." : "")
      + (isRandom(result) ? " Random weights, not pretrained." : "");
  }

  function footnote(result) {
    const runs = all(result);
    const p = (key) => joined(runs.map((run) => run.provenance.get(key) ?? "?"));
    const files = unique(result.rows.map((row) => row.weights_file).filter(Boolean)).join("; ");
    return `${p("processor")}, ${p("cores")} cores, ${joined(runs.map((run) => run.device))}; torch ${p("torch")}, `
      + `Python ${p("python")}, ${p("date")}. Time is training alone. `
      + `Memory is ${joined(runs.map((run) => run.memory_kind))}. `
      + `${files ? `Weights: ${files}. ` : ""}Images: ${result.data.licence}.`;
  }

  function words(result) {
    if (!all(result).every((run) => run.answers.length)) return [];
    const found = window.lineageLab.significance.differences(result);
    if (found.length <= 3) return found.map((one) => one.words);
    const shown = found.filter((one) => one.isShown).map((one) => one.words);
    if (shown.length === found.length) return shown;
    const rest = shown.length ? `the other ${found.length - shown.length}` : `all ${found.length}`;
    return [...shown, `For ${rest} pairs of networks no difference is shown.`];
  }

  // --- lineage_lab.exercises.finetune: can the table carry a conclusion?
  function unfair(result) {
    const { rows, limit } = result;
    const runs = all(result);
    const different = (values) => unique(values.map((value) => JSON.stringify(value))).length > 1;
    if (rows.length < 3) {
      return `It compares ${rows.length === 1 ? "one network" : "two networks"}; the exercise asks for three.`;
    }
    if (rows[0].runs.length < 2) {
      return "It has one seed. Another seed might turn the order round, and this table can't say: "
        + "leave --seeds at its default.";
    }
    if (isRandom(result)) return "A network started from random weights; the exercise asks for pretrained ones.";
    if (limit !== null) return `It used a part of the images (--limit ${limit}). Use all of them.`;
    if (different(rows.map(({ recipe }) => [recipe.get("epochs") ?? null, recipe.get("minutes") ?? null]))) {
      return "The networks were not given the same budget of epochs or minutes.";
    }
    if (different(runs.map((run) => [run.provenance.get("processor"), run.provenance.get("gpu") ?? null, run.device]))) {
      return "It was run on more than one machine, so that its times can't be compared.";
    }
    return "";
  }

  const first = (rows, value) => rows.reduce((best, row) => (value(row) > value(best) ? row : best));

  function verdict(result, differences) {
    const wrong = unfair(result);
    if (wrong) return wrong;
    const accuracy = (row) => `${row.name} has ${spread(of(row).percents, " %")}`;
    const time = (row) => `${fixed(mean(of(row).seconds), 0)} s of training`;
    const best = first(result.rows, (row) => mean(of(row).accuracies));
    const fastest = first(result.rows, (row) => -mean(of(row).seconds));
    const said = [`A fair table. ${accuracy(best)}, in ${time(best)}.`];
    if (best === fastest) said.push("It is also the fastest, so that nothing speaks for the others here.");
    else {
      const times = mean(of(best).seconds) / mean(of(fastest).seconds);
      const points = 100 * (mean(of(best).accuracies) - mean(of(fastest).accuracies));
      said.push(`${accuracy(fastest)}, in ${time(fastest)}: ${fixed(times, 1)} times as fast, and `
        + `${fixed(points, 1)} points behind.`);
      const seeds = 100 * Math.max(...[best, fastest].map((row) => stdev(of(row).accuracies)));
      if (!differences.length) {
        said.push(`That is ${points <= seeds ? "no more than" : "more than"} the seeds differ among themselves `
          + `(${fixed(seeds, 1)} points).`);
      }
    }
    return [...said, ...differences, "Which would you take, and what would change your mind?"].join(" ");
  }

  // --- lineage_lab.beside: what of two comparisons may not be compared?
  function told(value) {
    if (value === null) return "none";
    if (typeof value === "boolean") return value ? "yes" : "no";
    return typeof value === "number" ? general(value) : value;
  }

  function images(own, other) {
    const same = own.data.name === other.data.name
      && JSON.stringify(own.data.classes) === JSON.stringify(other.data.classes);
    if (!same) return [`the images are others (${own.data.name}, and ${other.data.name})`];
    const counts = [own, other].map((result) => `${fixed(result.data.train, 0, true)} and ${fixed(result.data.val, 0, true)}`);
    if (counts[0] !== counts[1]) {
      return [`the numbers of images differ (${counts[0]} to train on and to validate with, in place of ${counts[1]})`];
    }
    const ways = [own, other].map(({ data }) => `${data.drawn_by_seed} ${data.groups}`);
    if (ways[0] !== ways[1]) return ["the images were split in another way"];
    const prints = (result) => new Map(result.rows.filter((row) => row.fingerprint)
      .map((row) => [String(row.input_size), row.fingerprint]));
    const theirs = prints(other);
    const changed = [...prints(own)].some(([size, print]) => theirs.has(size) && theirs.get(size) !== print);
    return changed ? ["the images of this name are others (their fingerprints differ)"] : [];
  }

  function recipes(own, other, defaults) {
    const values = (result, key) => sorted(result.rows.map(({ recipe }) =>
      told(recipe.has(key) ? recipe.get(key) : defaults.get(key)))).join(" or ");
    const found = [...defaults.keys()].sort().filter((key) => values(own, key) !== values(other, key))
      .map((key) => `${key} ${values(own, key)} in place of ${values(other, key)}`);
    return found.length ? [`the recipes differ (${found.join(", ")})`] : [];
  }

  function weights(own, other) {
    if (isRandom(own) !== isRandom(other)) {
      return [`only ${isRandom(own) ? "the other" : "this"} started from pretrained weights`];
    }
    const theirs = new Map(other.rows.map((row) => [row.name, row.sha256]));
    const names = own.rows.filter((row) => theirs.has(row.name) && theirs.get(row.name) !== row.sha256);
    return names.length ? [`the weights to start from are others (${names.map((row) => row.name).join(", ")})`] : [];
  }

  function machines(own, other) {
    const told = (result, key) => joined(all(result).map((run) =>
      (key === "device" || key === "precision" ? run[key] : run.provenance.get(key) ?? "?")));
    return [["processor", "processors"], ["gpu", "GPUs"], ["device", "devices"], ["cores", "numbers of cores"],
      ["threads", "numbers of threads"], ["precision", "precisions"], ["torch", "versions of torch"]]
      .filter(([key]) => {
        const pair = [told(own, key), told(other, key)];
        return pair[0] !== pair[1] && !pair.includes("?");
      })
      .map(([key, words]) => `the ${words} differ (${told(own, key)} in place of ${told(other, key)})`);
  }

  function beside(own, other, defaults) {
    const [pictures, lines, starts] = [images(own, other), recipes(own, other, defaults), weights(own, other)];
    const sentence = (what, reasons, fine) => (reasons.length
      ? `${what} may not be compared: ${reasons.join("; ")}.` : `${what} may be compared: ${fine}.`);
    const found = [
      sentence("Accuracies", [...pictures, ...lines, ...starts], "the same images, recipe and kind of weights"),
      sentence("Times", [
        ...(pictures.length ? ["the images are not the same"] : []), ...(lines.length ? ["the recipes differ"] : []),
        ...machines(own, other)], "the same images, recipe and machine"),
    ];
    const [mine, theirs] = [own, other].map((result) => result.rows[0].runs.length);
    if (mine < theirs) {
      found.push(`Fewer seeds, ${mine} in place of ${theirs}: `
        + (mine === 1 ? "how far another seed would lie from this one is not known."
          : "the means and their spread are less sure."));
    }
    return found;
  }

  Object.assign(window.lineageLab, { words: { cells, caption, footnote, words, verdict, unfair, beside } });
})();
