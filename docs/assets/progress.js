// The reader's progress: what was read, copied, answered and done, kept by this browser alone.
// It is a set of facts with dates that only grows, so that tabs and files merge by union. The
// marks in the pages (data-ll-mark, data-ll-read) and the counts come from lineage_site.mkdocs, the
// rules from assets/progress.json. The page "Your progress" has a script of its own.
"use strict";

window.lineageProgress = (() => {
  const KEY = "lineage-lab.progress.1";
  const FACT = /^(read|copied|tried|first|right|done):[a-z0-9]+([/-][a-z0-9]+)*$/;
  const DAY = /^20\d\d-[01]\d-[0-3]\d$/;
  const script = document.currentScript.src;
  const today = () => new Date().toISOString().slice(0, 10);

  // --- The store.
  let stored = new Map();
  const mine = new Map(); // this page's own, until the next page: what failed to be kept, or got lost
  let kept = true;
  const listeners = [];

  function union(...maps) {
    const all = new Map();
    for (const [fact, day] of maps.flatMap((map) => [...map])) {
      if (!all.has(fact) || day < all.get(fact)) all.set(fact, day);
    }
    return all;
  }

  // What somebody else wrote under our key must not break a page: what is no fact is left out. A
  // date in the future comes from a clock that was wrong.
  function parse(text) {
    try {
      const facts = Object.entries(JSON.parse(text).facts);
      return new Map(facts.filter(([fact, day]) => FACT.test(fact) && fact.length <= 100 && DAY.test(day))
        .map(([fact, day]) => [fact, day > today() ? today() : day]));
    } catch {
      return new Map();
    }
  }

  const text = (facts) => JSON.stringify({ schema: "lineage-lab-progress/1", facts: Object.fromEntries([...facts].sort()) });
  const tell = () => listeners.forEach((listener) => listener());

  function load() {
    try {
      stored = parse(localStorage.getItem(KEY));
      kept = true;
    } catch {
      kept = false; // forbidden
    }
  }

  // One tab at a time where the browser has locks; anyhow each write is read, merge, write.
  async function alone(work) {
    let over = false;
    const once = () => {
      if (!over) work();
      over = true;
    };
    try {
      await navigator.locks.request(KEY, { signal: AbortSignal.timeout(2000) }, once);
    } catch {
      once();
    }
  }

  const save = () => alone(() => {
    load();
    const all = union(stored, mine);
    try {
      if (all.size > stored.size) localStorage.setItem(KEY, text(all));
      stored = all;
    } catch {
      kept = false; // forbidden, or full
    }
    tell();
  });

  function add(facts) {
    for (const [fact, day] of facts) mine.set(fact, day);
    return save();
  }

  const reset = () => alone(() => {
    mine.clear();
    try {
      localStorage.removeItem(KEY);
    } catch {
      kept = false;
    }
    stored = new Map();
    tell();
  });

  addEventListener("storage", (event) => {
    if (event.key !== KEY && event.key !== null) return;
    if (event.newValue === null) mine.clear(); // another tab began anew
    load();
    if ([...mine.keys()].some((fact) => !stored.has(fact))) save(); // another tab wrote over ours
    else tell();
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    mine.clear();
    load();
    tell();
  });

  // --- The score: all of it follows from the facts and the rules.
  function score(rules, facts) {
    const counted = (kinds, page, of) => {
      let have = 0;
      for (let i = 1; i <= of; i += 1) have += kinds.some((kind) => facts.has(`${kind}:${page}/${i}`));
      return [have, of];
    };
    const pages = Object.entries(rules.pages).map(([name, page]) => ({
      name,
      chapter: page.chapter,
      read: [Number(facts.has(`read:${name}`)), 1],
      copied: counted(["copied"], name, page.snippets),
      answered: counted(["first", "right"], name, page.questions),
      first: counted(["first"], name, page.questions),
      done: counted(["done"], name, page.exercises),
    }));
    const sum = (among, kinds) => among.flatMap((page) => kinds.map((kind) => page[kind]))
      .reduce(([have, of], [h, o]) => [have + h, of + o], [0, 0]);
    const total = (...kinds) => sum(pages, kinds)[0];
    const { points, levels } = rules;
    const xp = points.read * total("read") + points.copied * total("copied") + points.done * total("done")
      + points.first * total("first") + points.right * (total("answered") - total("first"));
    const level = levels.findLastIndex((one) => one.xp <= xp);
    const chapters = pages.filter((page) => page.chapter);
    const achievements = rules.achievements.map(({ name, kinds, of, count }) => {
      const among = { site: [pages], chapters: [chapters], "one chapter": chapters.map((page) => [page]) }[of]
        ?? [pages.filter((page) => page.name === of)];
      const [have, need] = among.map((group) => sum(group, kinds))
        .map(([had, all]) => [had, count === "all" ? all : count])
        .reduce((best, next) => (next[0] / next[1] > best[0] / best[1] ? next : best));
      return { name, have: Math.min(have, need), need, earned: need > 0 && have >= need };
    });
    return { pages, sum: (...kinds) => sum(pages, kinds), xp, level, name: levels[level].name, next: levels[level + 1], achievements };
  }

  load();
  const ready = fetch(new URL("progress.json", script)).then((answer) => answer.json());
  return {
    today, FACT, DAY, text, add, reset, ready,
    facts: () => union(stored, mine),
    kept: () => kept,
    changed: (listener) => listeners.push(listener),
    score: (rules) => score(rules, union(stored, mine)),
    page: new URL("../progress/", script),
  };
})();

// --- In every page: the header's line, the buttons, what is noticed.
(() => {
  const store = window.lineageProgress;

  function element(tag, name, words, more = {}) {
    return Object.assign(document.createElement(tag), { className: name, textContent: words, ...more });
  }
  const number = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ","); // toLocaleString takes 15 ms at first
  const shown = (day) => new Date(day).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

  const badge = element("a", "ll-badge", "", { href: store.page.href });
  const [level, xp] = [element("span", "ll-badge-level", ""), element("span", "", "Progress")];
  badge.append(level, xp);
  if (location.pathname === store.page.pathname) badge.setAttribute("aria-current", "page");
  document.querySelector(".md-header__title")?.after(badge);

  // A word in passing: it blocks nothing, and a screen reader says it.
  const toast = element("div", "ll-toast", "", { role: "status" });
  document.body.append(toast);
  let hiding = 0;
  function say(words) {
    toast.replaceChildren(element("p", "", words));
    clearTimeout(hiding);
    hiding = setTimeout(() => toast.replaceChildren(), 8000);
  }
  addEventListener("keydown", (event) => event.key === "Escape" && toast.replaceChildren());

  function notKept() {
    const told = "lineage-lab.told";
    try {
      if (sessionStorage.getItem(told)) return "";
      sessionStorage.setItem(told, "1");
    } catch {
      if (badge.dataset.told) return "";
    }
    badge.dataset.told = "1";
    return "This browser has no room for your progress, or is set to keep nothing. The site works all the same.";
  }

  let rules = null;
  async function mark(fact, words = "") {
    if (store.facts().has(fact)) return;
    const before = rules && store.score(rules);
    await store.add([[fact, store.today()]]);
    const news = [words];
    if (before) {
      const after = store.score(rules);
      after.achievements.forEach((one, i) => {
        if (one.earned && !before.achievements[i].earned) news.push(`Achievement: ${one.name}.`);
      });
      if (after.level > before.level) news.push(`Level ${after.level}: ${after.name}.`);
    }
    if (!store.kept()) news.push(notKept());
    const told = news.filter(Boolean).join(" ");
    if (told) say(told);
  }

  // --- Buttons: the page's end, and each exercise. They stay where they are, so does the focus.
  const buttons = [];
  function button(fact, before, after) {
    const made = element("button", "ll-mark", before, { type: "button" });
    made.addEventListener("click", () => mark(fact));
    buttons.push(() => {
      const day = store.facts().get(fact);
      made.textContent = day ? `${after}, ${shown(day)}` : before;
      made.setAttribute("aria-disabled", String(Boolean(day)));
    });
    return made;
  }

  for (const task of document.querySelectorAll("p[data-ll-mark]")) {
    const place = task.dataset.llMark;
    const count = place.split("/").pop();
    let last = task;
    while (last.nextElementSibling?.matches("details, ul, ol, pre, .highlight, p:not([data-ll-mark])")) last = last.nextElementSibling;
    while (last !== task && !last.matches("details")) last = last.previousElementSibling;
    last.after(button(`done:${place}`, `I have done exercise ${count}`, `Exercise ${count} done`));
  }

  let watch = () => {};
  const end = document.querySelector("[data-ll-read]");
  if (end) {
    const fact = `read:${end.dataset.llRead}`;
    const note = element("span", "", "For ");
    note.append(element("a", "", "your progress", { href: store.page.href }), ", which this browser keeps and nobody else sees.");
    end.append(button(fact, "Mark as read", "Read"), note);
    watch = ({ reading }) => {
      const least = Math.max(reading.seconds, reading.share * 60 * end.dataset.minutes);
      let [seen, reached] = [0, false];
      new IntersectionObserver((now) => { reached ||= now.some((each) => each.isIntersecting); }).observe(end);
      const clock = setInterval(() => {
        seen += Number(!document.hidden);
        if (!reached || seen < least) return;
        clearInterval(clock);
        mark(fact, "You have read this page.");
      }, 1000);
    };
  }

  // --- Noticed: copies and answers.
  document.addEventListener("click", (event) => {
    const copied = event.target.closest("button.md-clipboard, .md-code__button[data-md-type='copy']")?.closest("[data-ll-mark]");
    if (copied) mark(`copied:${copied.dataset.llMark}`);
    const answer = event.target.closest(".ll-choice > summary")?.parentElement;
    const place = answer && !answer.open && answer.closest("[data-ll-mark]")?.dataset.llMark;
    const has = (kind) => store.facts().has(`${kind}:${place}`);
    if (!place || has("first") || has("right")) return;
    const kind = has("tried") ? "right" : "first";
    mark(`${answer.matches(".ll-wrong") ? "tried" : kind}:${place}`);
  }, true);

  function update() {
    for (const each of buttons) each();
    if (!rules) return;
    const now = store.score(rules);
    badge.title = store.kept() ? `Your progress: level ${now.level}, ${now.name}` : "Your progress can’t be kept";
    level.textContent = store.kept() ? `Level ${now.level} · ` : "";
    xp.textContent = store.kept() ? `${number(now.xp)} XP` : "Not kept";
  }
  store.changed(update);
  update();
  store.ready.then((found) => {
    rules = found;
    update();
    watch(rules);
  }, () => {}); // without the rules the marks are kept all the same
})();
