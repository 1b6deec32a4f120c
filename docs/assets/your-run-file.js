// The page "Your run": reads what `lineage-lab compare` wrote, as lineage_lab.results does, and
// refuses all else with a reason. Nothing of a file is trusted: each value that is used is looked
// at first, and only a file's own keys are.
"use strict";

(() => {
  const RANDOM = "random weights, not pretrained";
  const MOST_BYTES = 32 * 2 ** 20;
  const MOST = 50; // networks, and seeds
  const LONGEST = 1000; // letters of a name
  const LONGEST_RUN = 1e9; // seconds: thirty years

  class Refused extends Error {}

  const refuse = (words) => {
    throw new Refused(words);
  };

  function shown(value) {
    const text = value === undefined ? "nothing" : JSON.stringify(value);
    return text.length > 40 ? `${text.slice(0, 39)}…` : text;
  }

  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
  const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

  // What a value must be, in words, and whether it is.
  const kinds = {
    text: ["a text", (v) => typeof v === "string"],
    count: ["a whole number, 0 or more", isCount],
    positive: ["a whole number above 0", (v) => isCount(v) && v > 0],
    share: ["a number from 0 to 1", (v) => isNumber(v) && v >= 0 && v <= 1],
    time: ["a number of seconds above 0", (v) => isNumber(v) && v >= 1e-6 && v <= LONGEST_RUN],
    number: ["a number", isNumber],
    amount: ["a number, 0 or more", (v) => isNumber(v) && v >= 0],
    yes: ["true or false", (v) => typeof v === "boolean"],
    plain: ["a number, a text, true, false or null",
      (v) => v === null || typeof v === "string" || typeof v === "boolean" || isNumber(v)],
  };

  function be(kind, value, where) {
    const [words, holds] = kinds[kind];
    if (!holds(value)) refuse(`${where} must be ${words}, not ${shown(value)}`);
    if (typeof value === "string" && value.length > LONGEST) refuse(`${where} has more than ${LONGEST} letters`);
    return value;
  }

  const orNull = (kind, value, where) => (value === null ? null : be(kind, value, where));

  function object(value, where) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      refuse(`${where} must be an object, not ${shown(Array.isArray(value) ? [] : value)}`);
    }
    return value;
  }

  function list(value, where, most = Infinity) {
    if (!Array.isArray(value)) refuse(`${where} must be a list`);
    if (value.length > most) refuse(`${where} has more than ${most} entries`);
    return value;
  }

  // An object's values by name; these names, perhaps those, and no others, if they are given.
  function fields(value, where, names, optional = []) {
    const found = new Map(Object.entries(object(value, where)));
    for (const name of names ?? []) if (!found.has(name)) refuse(`${where} has no ${name}`);
    for (const name of found.keys()) {
      if (names && !names.includes(name) && !optional.includes(name)) {
        refuse(`${where} has a field ${shown(name)}, which is none of a comparison`);
      }
    }
    return found;
  }

  function texts(value, where) {
    const found = fields(value, where);
    for (const [name, text] of found) be("text", text, `${where}.${shown(name)}`);
    return found;
  }

  function recipe(value, where) {
    const found = fields(value, where);
    for (const [name, setting] of found) be("plain", setting, `${where}.${shown(name)}`);
    if (!found.has("minutes") || found.get("minutes") === null) be("count", found.get("epochs"), `${where}.epochs`);
    else be("amount", found.get("minutes"), `${where}.minutes`);
    if (found.has("head_epochs")) be("count", found.get("head_epochs"), `${where}.head_epochs`);
    return found;
  }

  function provenance(value, where) {
    const found = texts(value, where);
    for (const name of ["processor", "cores", "torch", "python", "date"]) {
      if (!found.has(name)) refuse(`${where} has no ${name}`);
    }
    return found;
  }

  function data(value) {
    const found = fields(value, "data");
    const get = (kind, name) => be(kind, found.get(name), `data.${name}`);
    const classes = list(found.get("classes"), "data.classes");
    classes.forEach((name, i) => be("text", name, `data.classes[${i}]`));
    return {
      name: get("text", "name"), licence: get("text", "licence"), classes,
      train: get("positive", "train"), val: get("positive", "val"),
      drawn_by_seed: get("yes", "drawn_by_seed"),
      groups: found.has("groups") ? get("count", "groups") : 0,
      grouped_by: found.has("grouped_by") ? get("text", "grouped_by") : "",
    };
  }

  function size(value, where) {
    const found = list(value, where, 3);
    found.forEach((side, i) => be("positive", side, `${where}[${i}]`));
    if (!found.length) refuse(`${where} is empty`);
    return found;
  }

  const RUN = ["seed", "accuracy", "truth", "answers", "losses", "epochs", "seconds", "warmup_seconds",
    "images_trained", "peak_memory", "memory_kind", "energy_joules", "device", "precision",
    "memory_format", "compiled", "provenance"];
  // Written only where they say something.
  const PERHAPS = ["metric", "best_epoch", "probabilities", "val_groups"];

  function run(value, where, classes) {
    const found = fields(value, where, RUN, PERHAPS);
    const get = (kind, name) => be(kind, found.get(name), `${where}.${name}`);
    const perhaps = (kind, name) => orNull(kind, found.get(name), `${where}.${name}`);
    const labels = (name) => {
      const all = list(found.get(name), `${where}.${name}`);
      const wrong = all.findIndex((label) => !isCount(label) || label >= classes);
      if (wrong >= 0) refuse(`${where}.${name}[${wrong}] must be the number of one of the ${classes} classes`);
      return all;
    };
    const [truth, answers, accuracy] = [labels("truth"), labels("answers"), get("share", "accuracy")];
    if (truth.length !== answers.length) refuse(`${where} has ${truth.length} images and ${answers.length} answers`);
    const right = answers.filter((answer, i) => answer === truth[i]).length;
    if (answers.length && Math.abs(right / answers.length - accuracy) > 1e-9) {
      refuse(`${where}.accuracy is not that of its answers`);
    }
    list(found.get("losses"), `${where}.losses`).forEach((loss, i) => be("number", loss, `${where}.losses[${i}]`));
    list(found.get("epochs"), `${where}.epochs`).forEach((epoch, i) => {
      const names = ["train_loss", "val_accuracy", "seconds"];
      for (const [name, number] of fields(epoch, `${where}.epochs[${i}]`, names, ["val_score"])) {
        if (name === "val_score") orNull("number", number, `${where}.epochs[${i}].${name}`);
        else be("number", number, `${where}.epochs[${i}].${name}`);
      }
    });
    get("amount", "warmup_seconds");
    get("yes", "compiled");
    get("text", "memory_format");
    return {
      seed: get("count", "seed"), accuracy, truth, answers, seconds: get("time", "seconds"),
      images_trained: get("count", "images_trained"), peak_memory: perhaps("count", "peak_memory"),
      memory_kind: get("text", "memory_kind"), energy_joules: perhaps("amount", "energy_joules"),
      device: get("text", "device"), precision: get("text", "precision"),
      provenance: provenance(found.get("provenance"), `${where}.provenance`),
    };
  }

  const ROW = ["name", "weights", "weights_file", "sha256", "parameters", "macs", "input_size", "fingerprint",
    "recipe", "runs"];

  function row(value, where, classes) {
    const found = fields(value, where, ROW);
    const get = (kind, name) => be(kind, found.get(name), `${where}.${name}`);
    return {
      name: get("text", "name"), weights: get("text", "weights"), weights_file: get("text", "weights_file"),
      sha256: get("text", "sha256"), parameters: get("count", "parameters"), macs: get("count", "macs"),
      input_size: size(found.get("input_size"), `${where}.input_size`), fingerprint: get("text", "fingerprint"),
      recipe: recipe(found.get("recipe"), `${where}.recipe`),
      runs: list(found.get("runs"), `${where}.runs`, MOST).map((r, i) => run(r, `${where}.runs[${i}]`, classes)),
    };
  }

  function read(text) {
    let found;
    try {
      found = JSON.parse(text);
    } catch (error) {
      const odd = text.match(/[[\s:,]-?(NaN|Infinity)\b/);
      refuse(odd ? `it holds ${odd[1]}, which is no number of JSON` : `it is not JSON (${error.message})`);
    }
    found = fields(found, "the file");
    const schema = found.get("schema");
    if (schema !== 2) refuse(`its schema is ${shown(schema)}, and this page reads 2`);
    if (found.has("key") && found.has("run")) {
      refuse("it is one finished run of a comparison that may go on. Finish that with --resume, and bring comparison.json");
    }
    found.delete("derived");
    found = fields(Object.fromEntries(found), "the file", ["schema", "rows", "data", "limit"]);
    const about = data(found.get("data"));
    const rows = list(found.get("rows"), "rows", MOST).map((r, i) => row(r, `rows[${i}]`, about.classes.length));
    const limit = orNull("count", found.get("limit"), "limit");
    const same = (what) => new Set(rows.map((r) => JSON.stringify(r.runs.map(what)))).size === 1;
    const names = rows.map((each) => each.name);
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined) refuse(`it has ${shown(twice)} twice`);
    if (!rows.length || !rows[0].runs.length) refuse("it has no finished run");
    if (!same((each) => each.seed)) refuse("its rows have not the same seeds: it is unfinished, or put together by hand");
    if (!same((each) => each.truth)) refuse("its rows have not the same validation images");
    return { data: about, rows, limit };
  }

  // A file of the reader's: refused by a word, or read.
  async function open(file) {
    if (file.size > MOST_BYTES) refuse(`it is larger than ${MOST_BYTES / 2 ** 20} MiB, and no comparison is`);
    const bytes = await file.arrayBuffer();
    let text;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      refuse("it is not text in UTF-8");
    }
    return read(text);
  }

  Object.assign(window.lineageLab, { file: { read, open, Refused, RANDOM } });
})();
