// The page "Your progress": fills its tables in, exports, imports and resets. Its tables stand
// there without scripts; what they count comes from window.lineageProgress.
"use strict";

(() => {
  const store = window.lineageProgress;
  const MOST = { bytes: 256 * 1024, facts: 4000 };
  const SCHEMA = /^lineage-lab-progress\/(\d{1,4})$/;
  const [summary, keep] = ["#ll-summary", "#ll-keep"].map((id) => document.querySelector(id));
  const number = (value) => value.toLocaleString("en");
  const percent = ([have, of]) => (of ? Math.floor((100 * have) / of) : 0);

  function element(tag, name, ...inside) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.append(...inside);
    return made;
  }

  function bar([have, of], label) {
    const made = element("progress");
    made.max = of || 1;
    made.value = have;
    made.setAttribute("aria-label", label);
    return made;
  }

  const said = [element("output", "ll-said"), element("output", "ll-said")]; // below the buttons, in the dialog
  function tell(words, wrong = false) {
    for (const output of said) {
      output.textContent = output.closest("dialog:not([open])") ? "" : words;
      output.classList.toggle("ll-refused", wrong);
    }
  }

  // --- The tables.
  function show(rules) {
    const now = store.score(rules);
    const all = now.sum("read", "copied", "answered", "done");
    const earned = now.achievements.filter((one) => one.earned).length;
    const start = rules.levels[now.level].xp;
    const way = now.next ? [now.xp - start, now.next.xp - start] : [1, 1];
    const told = now.next
      ? `${number(way[0])} of ${number(way[1])} XP to the next level, ${now.next.name}: ${number(way[1] - way[0])} to go`
      : "This is the last level.";
    const counts = [["read", "pages read"], ["copied", "snippets copied"], ["answered", "questions answered"], ["done", "exercises done"]]
      .map(([kind, words]) => [now.sum(kind), words]);
    counts.push([[earned, now.achievements.length], "achievements"]);
    summary.replaceChildren(
      element("p", "ll-level", element("strong", "", `Level ${now.level}: ${now.name}`), ` ${number(now.xp)} XP · ${percent(all)}\u00a0%\u00a0complete`),
      bar(way, "The way to the next level"),
      element("p", "", told),
      element("ul", "", ...counts.map(([[have, of], words]) => element("li", "", `${have} of ${of} ${words}`))),
      element("p", store.kept() ? "" : "ll-refused", store.kept()
        ? "Kept by this browser, on this device only."
        : "Not kept: this browser has no room, or is set to keep nothing for this site. Here stands what it knows until you leave the page."),
    );

    const kinds = { snippets: "copied", questions: "answered", exercises: "done" };
    for (const row of document.querySelectorAll(".ll-pages tr[data-page]")) {
      const page = now.pages.find(({ name }) => name === row.dataset.page);
      const of = (kind) => (page ? page[kind] : now.sum(kind));
      for (const cell of row.querySelectorAll("td[data-kind]")) {
        const [have, most] = of(kinds[cell.dataset.kind]);
        cell.textContent = most ? `${have}/${most}` : "–";
      }
      if (!page) {
        row.cells[0].textContent = `${of("read")[0]} of ${of("read")[1]} pages read`;
        continue;
      }
      const done = ["read", "copied", "answered", "done"].reduce(([a, b], kind) => [a + page[kind][0], b + page[kind][1]], [0, 0]);
      const state = percent(done) === 100 ? "complete" : `${page.read[0] ? "read, " : ""}${percent(done)} %`;
      row.querySelector(".ll-bar").replaceChildren(bar(done, `${row.querySelector("a").textContent}: done`), element("span", "", state));
    }

    document.querySelectorAll("#ll-achievements li").forEach((item, i) => {
      const { earned: has, have, need } = now.achievements[i];
      item.classList.toggle("ll-earned", has);
      item.querySelector("em")?.remove();
      item.append(element("em", "", has ? "✓ earned" : `${have} of ${need}`));
    });
    document.querySelectorAll("tr[data-level]").forEach((row, i) => {
      if (i === now.level) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    });
  }

  // --- A file: read strictly, taken whole or not at all.
  class Refused extends Error {}
  const short = (words) => JSON.stringify(words.length > 40 ? `${words.slice(0, 40)}…` : words);
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

  function read(text) {
    let found;
    try {
      found = JSON.parse(text);
    } catch {
      throw new Refused("it is not a JSON file");
    }
    if (!isObject(found) || typeof found.schema !== "string" || !SCHEMA.test(found.schema)) {
      throw new Refused("it is not a progress file of this site");
    }
    const version = SCHEMA.exec(found.schema)[1];
    if (version !== "1") throw new Refused(`it is a progress file of version ${version}; this site reads version 1`);
    const strange = Object.keys(found).find((key) => !["schema", "facts"].includes(key));
    if (strange !== undefined) throw new Refused(`it has a part that a progress file has not: ${short(strange)}`);
    if (!isObject(found.facts)) throw new Refused("its list of facts is missing or no list");
    const facts = Object.entries(found.facts);
    if (facts.length > MOST.facts) throw new Refused(`it has ${number(facts.length)} facts, and ${number(MOST.facts)} are the most`);
    for (const [fact, day] of facts) {
      if (!store.FACT.test(fact) || fact.length > 100) throw new Refused(`this is no fact: ${short(fact)}`);
      const real = typeof day === "string" && store.DAY.test(day) && !Number.isNaN(Date.parse(day))
        && new Date(day).toISOString().startsWith(day);
      if (!real) throw new Refused(`the day of ${short(fact)} is no day`);
      if (day > store.today()) throw new Refused(`the day of ${short(fact)} is in the future: ${day}`);
    }
    return facts;
  }

  async function take(file) {
    try {
      if (file.size > MOST.bytes) throw new Refused(`it has ${number(Math.ceil(file.size / 1024))} KiB, and ${MOST.bytes / 1024} are the most`);
      const facts = read(await file.text());
      const known = store.facts();
      const fresh = facts.filter(([fact]) => !known.has(fact)).length;
      await store.add(facts);
      const end = store.kept() ? "" : " But this browser can’t keep them.";
      tell(`Imported: ${number(fresh)} new facts; ${number(facts.length - fresh)} were known.${end}`, !store.kept());
    } catch (error) {
      const why = error instanceof Refused ? error.message : "it can’t be read";
      tell(`The file was refused: ${why}. Nothing has changed.`, true);
    }
  }

  function give() {
    const address = URL.createObjectURL(new Blob([`${store.text(store.facts())}\n`], { type: "application/json" }));
    const link = Object.assign(document.createElement("a"), { href: address, download: `lineage-lab-progress-${store.today()}.json` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    tell(`Exported: ${number(store.facts().size)} facts. The file is with your downloads.`);
  }

  // --- The buttons.
  function button(words, action) {
    const made = element("button", "ll-mark", words);
    made.type = "button";
    made.addEventListener("click", action);
    return made;
  }

  const input = Object.assign(document.createElement("input"), { type: "file", accept: ".json,application/json", hidden: true });
  input.setAttribute("aria-label", "A progress file");
  input.addEventListener("change", async () => {
    if (input.files[0]) await take(input.files[0]);
    input.value = ""; // the same file can be chosen again
  });

  const dialog = element("dialog", "ll-dialog");
  const heading = element("h2", "", "Forget all progress?");
  heading.id = "ll-dialog-heading";
  dialog.setAttribute("aria-labelledby", heading.id);
  const cancel = button("Keep it", () => dialog.close());
  dialog.append(
    heading,
    element("p", "", "What this browser knows of your reading is removed, in all tabs. If you may want it back, export it first: an import brings it back."),
    element("div", "ll-keep", cancel, button("Export first", give), button("Forget it", async () => {
      await store.reset();
      dialog.close();
      tell("Forgotten. You begin anew.");
    })),
    said[1],
  );
  keep.append(button("Export as a file", give), button("Import a file", () => input.click()),
    button("Reset", () => { tell(""); dialog.showModal(); cancel.focus(); }), input, dialog);
  keep.after(said[0]);

  store.ready.then((rules) => {
    store.changed(() => show(rules));
    show(rules);
  }, () => tell("The rules could not be loaded, so nothing is counted here. Your progress is kept.", true));
  store.read = read;
})();
