// What tests/site asks of a page, run in the page.
"use strict";

window.site = {
  // Spans of code that look like one seen before are unwrapped: axe then looks at each colour once.
  thin() {
    // What waits below the fold is there, as for a reader who has scrolled.
    for (const each of document.querySelectorAll(":is(p, li, dd):has(.arithmatex), div.arithmatex")) each.style.contentVisibility = "visible";
    const seen = new Set();
    for (const span of document.querySelectorAll(".highlight pre span")) {
      const place = span.closest(".output") ? "output" : "code";
      const kind = `${place} ${span.className} ${span.parentElement.className}`;
      if (seen.has(kind)) span.replaceWith(...span.childNodes);
      seen.add(kind);
    }
    return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())));
  },

  scheme(name) { document.body.setAttribute("data-md-color-scheme", name); },

  async axe(within) {
    const options = { resultTypes: ["violations"], preload: false };
    const { violations } = await window.axe.run(within || document, options);
    return violations.flatMap((rule) => rule.nodes.slice(0, 4).map((node) =>
      `${rule.id}: ${node.html.slice(0, 160)} (${[...node.any, ...node.all, ...node.none].map((c) => c.message)[0] || rule.help})`));
  },

  overflow() {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  },

  bytes() {
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    return all.reduce((sum, entry) => sum + entry.transferSize, 0);
  },

  // Each control of the content once; the network and the policy are watched meanwhile.
  async use() {
    const content = document.querySelector(".md-content");
    if (!content) return 0;
    for (const details of content.querySelectorAll("details")) details.open = true;
    const used = content.querySelectorAll("button:not([data-md-type]), select, input:not([type=file])");
    for (const each of used) {
      if (each.disabled || each.closest("[hidden]")) continue;
      if (each.matches("select")) each.selectedIndex = each.options.length - 1;
      else if (each.type === "range") each.value = each.max;
      else if (each.type === "number") each.value = each.max || 2;
      else if (each.type === "text" || each.type === "search") each.value = "<img src=x onerror=alert(1)>";
      else { each.click(); continue; }
      for (const name of ["input", "change"]) each.dispatchEvent(new Event(name, { bubbles: true }));
    }
    const copy = content.querySelector("[data-md-type=copy], button.md-clipboard");
    if (copy) copy.click();
    await new Promise((done) => setTimeout(done, 60));
    for (const reset of content.querySelectorAll("button[type=reset]")) reset.click();
    if (used.length) await new Promise((done) => setTimeout(done, 250)); // what scrolls is found later
    return used.length;
  },

  // SVG text whose contrast with what was painted under it is too low: axe does not see it.
  contrast() {
    const page = getComputedStyle(document.body).getPropertyValue("--ll-paper").trim();
    const rgba = (colour) => {
      const pen = site.pen || (site.pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }));
      pen.clearRect(0, 0, 1, 1); pen.fillStyle = "#000"; pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      return [r, g, b, a / 255];
    };
    const over = (top, alpha, below) => below.map((value, i) => top[i] * alpha + value * (1 - alpha));
    const luminance = (colour) => {
      const [r, g, b] = colour.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const opacity = (element) => {
      let product = 1;
      for (let each = element; each && each.nodeName !== "svg"; each = each.parentElement) product *= Number(getComputedStyle(each).opacity);
      return product;
    };
    const bad = [];
    let looked = 0;
    for (const svg of document.querySelectorAll(".md-content svg")) {
      const shapes = [...svg.querySelectorAll("rect, circle, ellipse, path, polygon, image, text")];
      shapes.forEach((text, place) => {
        if (text.nodeName !== "text" || !text.textContent.trim()) return;
        const box = text.getBoundingClientRect();
        if (!box.width) return;
        const style = getComputedStyle(text);
        let ground = rgba(page).slice(0, 3);
        for (const shape of shapes.slice(0, place)) {
          if (shape.nodeName === "text") continue;
          const point = new DOMPoint(box.x + box.width / 2, box.y + box.height / 2).matrixTransform(shape.getScreenCTM().inverse());
          if (shape.nodeName === "image") {
            const { x, y, width, height } = shape.getBBox();
            if (point.x > x && point.x < x + width && point.y > y && point.y < y + height) return; // on a photograph
            continue;
          }
          const paint = getComputedStyle(shape);
          if (paint.fill === "none" || !shape.isPointInFill(point)) continue;
          const colour = rgba(paint.fill);
          ground = over(colour, colour[3] * Number(paint.fillOpacity) * opacity(shape), ground);
        }
        const ink = rgba(style.fill);
        const seen = over(ink, ink[3] * Number(style.fillOpacity) * opacity(text), ground);
        const [dark, light] = [luminance(seen), luminance(ground)].sort((a, b) => a - b);
        const ratio = (light + 0.05) / (dark + 0.05);
        looked += 1;
        if (ratio < 4.5) bad.push(`${ratio.toFixed(2)}: "${text.textContent.trim()}" ${style.fill} on ${ground.map(Math.round)}`);
      });
    }
    return { looked, bad };
  },

  // Pictures that a reader who does not see them cannot know of.
  unnamed() {
    const told = new Map();
    const bad = [];
    for (const image of document.querySelectorAll("img")) {
      const alt = image.getAttribute("alt");
      if (alt === "" && image.closest("button, a")?.textContent.trim()) continue; // the words say it
      if (alt === null || (alt.trim().length < 20 && !image.closest("a"))) bad.push(`img ${image.src.slice(-40)}: "${alt}"`);
      if (told.has(alt)) bad.push(`img ${image.src.slice(-40)}: the same as another: "${alt}"`);
      told.set(alt, image);
    }
    const known = new Set();
    for (const svg of document.querySelectorAll(".md-content svg")) {
      if (svg.closest("[aria-hidden=true], button, label, .admonition-title, .twemoji")) continue;
      const role = svg.getAttribute("role");
      if (!["img", "group", "figure", "application"].includes(role)) { bad.push(`svg without a role: ${svg.outerHTML.slice(0, 120)}`); continue; }
      const title = svg.querySelector("title")?.textContent.trim() || svg.getAttribute("aria-label") || "";
      const desc = svg.querySelector("desc")?.textContent.trim() || "";
      if (!title || (role === "img" && desc.length < 20)) bad.push(`svg "${title}": "${desc}"`);
      const whole = `${title} ${desc}`;
      if (known.has(whole)) bad.push(`svg with the words of another: ${whole.slice(0, 80)}`);
      known.add(whole);
    }
    return bad;
  },
};
