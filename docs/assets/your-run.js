// The page "Your run": files that the reader drops or picks are read, drawn as the package draws
// them, and set beside the reference. Nothing is sent anywhere.
"use strict";

(() => {
  const { file: files, words, chart } = window.lineageLab;
  const MOST_FILES = 5;
  const source = document.querySelector("#ll-data");
  const form = document.querySelector("#ll-drop");
  const place = document.querySelector("#ll-runs");
  if (!source || !form || !place) return;
  const [input, said, clear] = ["input", "output", "button"].map((name) => form.querySelector(name));
  const data = JSON.parse(source.textContent);
  const reference = files.read(JSON.stringify(data.reference));
  const defaults = new Map(Object.entries(data.defaults));
  let drawn = 0; // so that no two pictures share an id
  let asked = 0;

  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  function list(sentences) {
    const made = element("ul");
    made.append(...sentences.map((sentence) => element("li", sentence)));
    return made;
  }

  function table(result, label) {
    const [head, ...body] = words.cells(result);
    const made = element("table", "", "ll-table");
    const top = made.createTHead().insertRow();
    for (const name of head) {
      const cell = element("th", name);
      cell.scope = "col";
      top.append(cell);
    }
    const rows = made.createTBody();
    for (const [first, ...cells] of body) {
      const row = rows.insertRow();
      const name = element("th");
      name.scope = "row";
      name.append(element("span", first));
      row.append(name, ...cells.map((cell) => element("td", cell)));
    }
    const frame = element("div", "", "ll-cells");
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", label);
    frame.tabIndex = 0;
    frame.append(made);
    return frame;
  }

  function section(result, name) {
    const differences = words.words(result);
    const made = element("section", "", "ll-run");
    const picture = element("figure", "", "ll-figure");
    drawn += 1;
    picture.append(chart.scatter(result, `your-run-${drawn}`));
    made.append(element("h3", name), element("p", words.caption(result)), table(result, `The table of ${name}`), picture);
    // Of a fair table the verdict tells the differences, too.
    if (words.unfair(result) && differences.length) made.append(list(differences));
    made.append(element("h4", "What it can carry"), element("p", words.verdict(result, differences), "ll-verdict"));
    const beside = list(words.beside(result, reference, defaults));
    beside.className = "ll-beside";
    made.append(element("h4", "Beside the reference"), beside, element("p", words.footnote(result), "ll-note"));
    return made;
  }

  function tell(text, isRefused = false) {
    said.textContent = text;
    said.classList.toggle("ll-refused", isRefused);
  }

  function reason(error) {
    if (error instanceof files.Refused) return error.message;
    return error instanceof DOMException ? "it can't be read" : "it is beyond this page";
  }

  // All or nothing: if one file is refused, what was shown stays.
  async function show(chosen) {
    const turn = (asked += 1);
    if (!chosen.length) return;
    if (chosen.length > MOST_FILES) {
      tell(`Refused: ${chosen.length} files, and this page takes ${MOST_FILES} at once. Nothing was changed.`, true);
      return;
    }
    const sections = [];
    for (const file of chosen) {
      try {
        sections.push(section(await files.open(file), file.name));
      } catch (error) {
        if (turn === asked) {
          tell(`Refused: ${file.name} is no comparison that lineage-lab compare wrote, such as comparison.json in `
            + `its --out folder: ${reason(error)}. Nothing was changed.`, true);
        }
        return;
      }
    }
    if (turn !== asked) return; // the reader has chosen others since
    place.replaceChildren(...sections);
    clear.hidden = false;
    tell(`Shown below: ${[...chosen].map((file) => file.name).join(", ")}.`);
  }

  input.addEventListener("change", () => {
    const chosen = [...input.files];
    input.value = ""; // so that the same file can be chosen again
    show(chosen);
  });
  clear.addEventListener("click", () => {
    asked += 1;
    place.replaceChildren();
    clear.hidden = true;
    tell("Nothing is shown.");
    input.focus();
  });

  // A file may fall anywhere on the page: the browser would open it in place of the page.
  const brings = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      if (!brings(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      form.classList.add("ll-over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) form.classList.remove("ll-over");
  });
  document.addEventListener("drop", (event) => {
    form.classList.remove("ll-over");
    if (!brings(event)) return;
    event.preventDefault();
    show([...event.dataTransfer.files]);
  });
  form.hidden = false;
})();
