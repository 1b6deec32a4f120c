(root => {
  root.className = "js js-focus-visible";
  let chosen; // where nothing may be stored, nothing was chosen
  try { chosen = __md_get("__palette").color.scheme; } catch {}
  const dark = chosen ? chosen === "slate" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.head.append(Object.assign(document.createElement("meta"), { name: "color-scheme", content: dark ? "dark" : "light" }));
})(document.documentElement)
