(root => {
  const chosen = (__md_get("__palette") || {}).color, auto = !chosen || chosen.media === "(prefers-color-scheme)";
  const dark = auto ? matchMedia("(prefers-color-scheme: dark)").matches : chosen.scheme === "slate";
  root.className = "js js-focus-visible";
  document.head.append(Object.assign(document.createElement("meta"), { name: "color-scheme", content: dark ? "dark" : "light" }));
})(document.documentElement)
