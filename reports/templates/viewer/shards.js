"use strict";
// The index, and shards that are loaded as scripts when they are needed.
viewer.shards = new Map();  // name -> its entries; null while it is loaded
viewer.waiting = [];
const KEPT = 40;  // shards in memory, of 1 MB each at most

// The index calls this once, when the page has loaded.
viewer.open = index => {
  viewer.index = index;
  viewer.colours = viewer.bytes(index.colours);
  viewer.start();
};

// A shard calls this.
viewer.put = (name, entries) => {
  viewer.shards.set(name, entries);
  viewer.waiting = viewer.waiting.filter(([names, then]) => !(names.every(each => viewer.shards.get(each)) && (then(), true)));
};

// The place of an entry: the photo under a condition, or with a method the map of that method.
viewer.placeOf = (image, condition, method) => {
  const place = condition * (1 + viewer.index.methods.length) + (method === undefined ? 0 : 1 + method);
  const shard = Math.floor(place / viewer.index.entries);
  return [`${String(image).padStart(4, "0")}-${shard}`, place % viewer.index.entries];
};

viewer.entry = (...where) => {
  const [name, at] = viewer.placeOf(...where);
  return viewer.shards.get(name)[at];
};

// Load shards, and call a function when all are there.
viewer.load = (names, then) => {
  const missing = [...new Set(names)].filter(name => !viewer.shards.has(name));
  if (names.every(name => viewer.shards.get(name))) { then(); return; }
  viewer.waiting = [[names, then]];  // what was waited for before is not shown any more
  viewer.forget(names);
  for (const name of missing) {
    viewer.shards.set(name, null);
    const script = document.createElement("script");
    script.src = `data/${name}.js`;
    script.onload = () => script.remove();
    script.onerror = () => {
      script.remove();
      viewer.shards.delete(name);
      viewer.say(`The file data/${name}.js is missing or damaged. Copy the folder of this page with all its files.`);
    };
    document.head.append(script);
  }
};

viewer.forget = names => {
  for (const name of viewer.shards.keys()) {
    if (viewer.shards.size <= KEPT) return;
    if (!names.includes(name) && viewer.shards.get(name)) viewer.shards.delete(name);
  }
};
