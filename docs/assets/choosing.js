// The page "Which backbone should I use?": the rule of lineage_lab.choosing, in the page. The
// tests hold the two to the same answers, word for word. The page's decision list is there
// without scripts.
"use strict";

(() => {
  const source = document.querySelector("#ll-data");
  const form = document.querySelector("#ll-picker");
  const answers = document.querySelector("#ll-answers");
  if (!source || !form || !answers) return;
  const data = JSON.parse(source.textContent);
  const picks = Object.keys(data.picks);

  // --- The rule.
  const rounded = (value, digits) => Math.floor(value * 10 ** digits + 0.5) / 10 ** digits;
  const fixed = (value, digits) => rounded(value, digits).toFixed(digits);
  const given = (value) => value !== null && value !== undefined;

  const measures = [
    ["megabytes", "times smaller as a file", "times larger as a file"],
    ["gmacs", "times fewer multiply-adds", "times more multiply-adds"],
    ["gib", "times less memory to train", "times more memory to train"],
    ["milliseconds", "times faster", "times slower"],
  ];

  function rank(c, goal) {
    if (goal === "general") return picks.includes(c.name) ? picks.indexOf(c.name) : picks.length;
    return { accuracy: -c.top1, size: c.megabytes, macs: c.gmacs, latency: c.milliseconds ?? 0 }[goal];
  }

  function reason(c, goal, count) {
    if (goal === "general" && picks.includes(c.name)) return data.picks[c.name];
    const among = count > 1 ? `of the ${count} networks within the limits` : "within the limits";
    return {
      general: `the most accurate ${among}, since none of the four picks is`,
      accuracy: `the most accurate ${among}: ${fixed(c.top1, 1)} % top-1`,
      size: `the smallest file ${among}: ${fixed(c.megabytes, 1)} MiB`,
      macs: `the fewest multiply-adds ${among}: ${fixed(c.gmacs, 2)} G`,
      latency: `the fastest ${among}: ${fixed(c.milliseconds ?? 0, 1)} ms an image`,
    }[goal];
  }

  function compared(c, winner) {
    const gains = [];
    const costs = [];
    const points = fixed(Math.abs(c.top1 - winner.top1), 1);
    if (points !== "0.0") {
      const better = c.top1 > winner.top1;
      (better ? gains : costs).push(`${points} points ${better ? "more" : "less"} accurate`);
    }
    for (const [key, less, more] of measures) {
      const [mine, theirs] = [c[key], winner[key]];
      if (!mine || !theirs) continue;
      const ratio = fixed(Math.max(mine, theirs) / Math.min(mine, theirs), 1);
      if (ratio !== "1.0") (mine < theirs ? gains : costs).push(`${ratio} ${mine < theirs ? less : more}`);
    }
    return [gains, costs];
  }

  function beats(a, b) {
    const pairs = [[-a.top1, -b.top1]];
    for (const [key] of measures) if (given(a[key]) && given(b[key])) pairs.push([a[key], b[key]]);
    return pairs.every(([x, y]) => x <= y) && pairs.some(([x, y]) => x < y);
  }

  // The names are those of lineage_lab.choosing.pick.
  function pick(among, asked) {
    const goal = asked.first ?? "general";
    const kind = asked.kind ?? "any";
    const within = (value, limit) => !given(limit) || (given(value) && value <= limit);
    const fits = (c) => (goal !== "latency" || given(c.milliseconds))
      && c.top1 >= (asked.top1 ?? 0)
      && measures.every(([key]) => within(c[key], asked[key]))
      && (c.commercial || !asked.commercial)
      && (kind === "any" || kind === (c.family === "vit" ? "transformer" : "convnet"));
    const best = new Map();
    for (const c of among.filter(fits)) {
      if (!best.has(c.name) || c.top1 > best.get(c.name).top1) best.set(c.name, c);
    }
    const ranked = [...best.values()].sort((a, b) =>
      rank(a, goal) - rank(b, goal) || b.top1 - a.top1 || (a.name < b.name ? -1 : 1));
    if (!ranked.length) return [];
    const [winner, ...rest] = ranked;
    const found = [{ candidate: winner, gains: [reason(winner, goal, ranked.length)], costs: [] }];
    for (const c of rest) {
      const [gains, costs] = compared(c, winner);
      if (found.length < 3 && gains.length && !ranked.some((other) => beats(other, c))) {
        found.push({ candidate: c, gains, costs });
      }
    }
    return found;
  }

  // --- The form.
  function asked() {
    const fields = form.elements;
    const wish = { first: fields.first.value, kind: fields.kind.value, commercial: fields.commercial.checked };
    for (const key of ["top1", "megabytes", "gmacs", "gib", "milliseconds"]) {
      const number = fields[key].valueAsNumber;
      if (!Number.isNaN(number)) wish[key] = number;
    }
    return wish;
  }

  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  // A line of code with a button that copies it; without leave, the line is selected instead.
  function line(text) {
    const code = element("code", text);
    const button = element("button", "Copy");
    button.type = "button";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        window.getSelection().selectAllChildren(code);
      }
    });
    const box = element("div", "", "ll-code");
    box.append(code, button);
    return box;
  }

  const sentence = (words) => words[0].toUpperCase() + words.slice(1) + ".";

  function card(answer, first) {
    const c = answer.candidate;
    const box = element("section", "", "ll-answer");
    box.dataset.row = `${c.name}/${c.weights}`;
    box.append(element("h3", first ? `Take ${c.shown}` : `Or ${c.shown}`));
    box.append(element("p", sentence(answer.gains.join(", ")
      + (answer.costs.length ? `, but ${answer.costs.join(", ")}` : ""))));
    box.append(line(c.code));
    const numbers = [`${fixed(c.top1, 1)} % top-1`, `${fixed(c.megabytes, 1)} MiB`, `${fixed(c.gmacs, 2)} G MACs`,
      `${fixed(c.gib, 1)} GiB to train`];
    if (given(c.milliseconds)) numbers.push(`${fixed(c.milliseconds, 1)} ms an image`);
    box.append(element("p", [...numbers, `weights: ${c.licence}`].join(" · "), "ll-numbers"));
    if (first) box.append(element("p", `Know this: ${data.cautions[c.family]}`));
    if (data.chapters[c.family]) {
      const link = element("a", `How it works: the chapter on ${data.families[c.family]}`);
      link.href = data.chapters[c.family];
      const last = element("p");
      last.append(link);
      box.append(last);
    }
    return box;
  }

  // Nothing fits: which limit, loosened alone, lets something in?
  function nothing(wish) {
    const names = { top1: "accuracy", megabytes: "file", gmacs: "MACs", gib: "memory to train",
      milliseconds: "time", commercial: "licence", kind: "kind" };
    const guilty = Object.keys(names).filter((key) => {
      const { [key]: _, ...rest } = wish;
      return given(wish[key]) && pick(data.candidates, rest).length;
    });
    const advice = guilty.length
      ? `Any one of these, left open, gives an answer: ${guilty.map((key) => names[key]).join(", ")}.`
      : "Loosen more than one of them.";
    const box = element("section", "", "ll-answer");
    box.append(element("h3", "No network is within all of these limits"), element("p", advice));
    return box;
  }

  function update() {
    const wish = asked();
    const found = pick(data.candidates, wish);
    form.querySelector("output").textContent = found.length
      ? `Take ${found.map((a) => a.candidate.shown).join(", or ")}.` : "No network is within all of these limits.";
    answers.replaceChildren(...(found.length ? found.map((a, i) => card(a, i === 0)) : [nothing(wish)]));
  }

  form.hidden = false;
  form.addEventListener("input", update);
  form.addEventListener("reset", () => setTimeout(update));
  form.addEventListener("submit", (event) => event.preventDefault());
  update();
  window.lineageLab = { pick: (wish) => pick(data.candidates, wish) };
})();
