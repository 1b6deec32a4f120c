// A worker that stands before the theme's search worker and loads it, with the whole index, at the
// first query. Messages of the theme: 0 sets up, 1 says ready, 2 asks, 3 answers.
"use strict";

let settings = null;
let started = null;

async function start() {
  const name = location.search.slice(1);
  if (!/^search\.\w+\.min\.js$/.test(name)) throw new Error(`not the name of a worker: ${name}`);
  const answer = await fetch(new URL("../search/index.json", location.href));
  if (!answer.ok) throw new Error(`the search index: ${answer.status}`);
  const { docs } = await answer.json();
  importScripts(new URL(`javascripts/workers/${name}`, location.href).href);
  pass({ type: 0, data: { ...settings, docs } });
}

function pass(data) {
  const event = new MessageEvent("message", { data });
  event.passed = true;
  self.dispatchEvent(event);
}

self.addEventListener("message", (event) => {
  if (event.passed) return;
  event.stopImmediatePropagation();
  if (event.data.type === 0) {
    settings = event.data.data;
    self.postMessage({ type: 1 });
    return;
  }
  if (!started && !event.data.data) { // the theme asks for nothing when a page is opened
    self.postMessage({ type: 3, data: { items: [] } });
    return;
  }
  if (!started) {
    started = start();
    started.catch(() => { started = null; }); // the next query tries again
  }
  started.then(() => pass(event.data), () => self.postMessage({ type: 3, data: { items: [] } }));
});
