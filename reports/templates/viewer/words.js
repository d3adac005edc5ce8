"use strict";
// What the panels show, in words and numbers.
const NINTHS = ["top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right"];

const sign = (value, digits) => {
  const size = Math.abs(value), text = size >= 1e-3 ? size.toPrecision(digits) : size.toExponential(digits - 1);
  return value === 0 ? "0" : `${value < 0 ? "−" : "+"}${text}`;
};
// Text of any direction, which leaves that of the sentence around it alone.
const isolate = text => `\u2068${text}\u2069`;
viewer.number = value => sign(value, 4);
viewer.fixed = value => typeof value === "number" ? value.toFixed(3).replace("-", "−") : "–";
viewer.percent = share => `${(100 * share).toFixed(1)}\u00a0%`;

// The value of a panel at the pixel of the cross-hair.
viewer.valueAt = (panel, numbers) => {
  const { row, column } = viewer.state, values = numbers[panel], at = row * viewer.index.width + column;
  if (!values || row < 0 || column < 0) return "";
  if (panel.startsWith("map")) return viewer.number(values[at]);
  const colour = [0, 1, 2].map(channel => values[3 * at + channel]);
  return colour.map(value => panel === "photo-change" ? sign(value, 2) : value.toFixed(3)).join(" ");
};

const predicted = (image, condition) => {
  const { predictions, explained } = viewer.index.images[image], names = viewer.index.classes;
  const [answer, probability] = predictions[condition] ?? [];
  return answer === undefined ? "not computed" : `${isolate(names[answer])}, p(${isolate(names[explained])}) = ${viewer.fixed(probability)}`;
};

// Sentences on the image, the method and the condition of the state.
viewer.sentence = listed => {
  const { image, method, condition, measure } = viewer.state, facts = viewer.index.images[image];
  const names = viewer.index.classes, under = viewer.index.conditions[condition], how = viewer.index.methods[method];
  const said = [`${isolate(facts.id)}: class ${isolate(names[facts.label])}, explained: ${isolate(names[facts.explained])}.`];
  const remarks = [how.caveat, how.signed ? "" : "never negative by construction", under.doubt].filter(Boolean);
  if (condition > 0) {
    const place = listed.indexOf(image) + 1, score = viewer.score(image);
    const order = { worst: ", worst first", best: ", best first", data: ", in the order of the data" }[viewer.state.order];
    said.push(`${viewer.index.measures[measure]} of the map with the clean one: ${viewer.fixed(score)} (1 = the same)` +
      (place ? `; image ${place} of ${listed.length}${order}.` : "."));
    const kept = viewer.isKept(image, condition);
    if (kept !== null) said.push(kept ? "The prediction is kept." : "The prediction changes.");
  } else said.push("The clean image: nothing is perturbed.");
  if (remarks.length) said.push(`Note: ${remarks.join("; ")}.`);
  return said.join(" ");
};

viewer.limitInWords = numbers => {
  if (viewer.state.own) return "v: of each map its own 99th percentile of |map|.";
  const entry = viewer.state.condition ? numbers.after : numbers.before;
  return `v = ${numbers.limit.toPrecision(3)}, ${entry.rule ?? "99th percentile of |clean map|"}; one v for before, after and change.`;
};

viewer.beneath = (panel, numbers) => {
  const { image, condition } = viewer.state, entry = condition ? numbers.after : numbers.before;
  if (viewer.state.own && panel.startsWith("map")) return `own v = ${viewer.ownLimit(numbers[panel]).toPrecision(3)}`;
  const beyond = shares => shares === undefined ? "" : `beyond v: ${viewer.percent(shares)}`;
  const { limit, beyond: own } = numbers.before;  // another limit is that of a clean map of zeros
  return {
    "photo-before": () => predicted(image, 0),
    "photo-after": () => predicted(image, condition),
    "photo-change": () => `× ${viewer.index.magnified}, grey = none`,
    "map-before": () => beyond(limit === numbers.limit ? own[0] : 0),
    "map-after": () => beyond(entry.beyond?.[0]),
    "map-change": () => beyond(entry.beyond?.[1]),
  }[panel]();
};

// Smallest and largest value with their places, for those who do not see the map.
viewer.extremes = values => {
  const { width } = viewer.index, place = at => `row ${Math.floor(at / width)}, column ${at % width}`;
  let low = 0, high = 0;
  values.forEach((value, at) => {
    if (value < values[low]) low = at;
    if (value > values[high]) high = at;
  });
  return `largest ${viewer.number(values[high])} at ${place(high)}; smallest ${viewer.number(values[low])} at ${place(low)}`;
};

// The share of the sum of |values| in each ninth of the image, row by row.
viewer.ninths = values => {
  const { height, width } = viewer.index, sums = new Array(9).fill(0);
  values.forEach((value, at) => {
    const row = Math.floor(3 * Math.floor(at / width) / height), column = Math.floor(3 * (at % width) / width);
    sums[3 * row + column] += Math.abs(value);
  });
  const all = sums.reduce((sum, each) => sum + each, 0);
  return sums.map(sum => all ? sum / all : 0);
};

viewer.tell = numbers => {
  const shown = ["map-before", "map-after", "map-change"].filter(panel => numbers[panel]);
  const name = { "map-before": "Before", "map-after": "After", "map-change": "Change" };
  document.getElementById("words").textContent =
    shown.map(panel => `${name[panel]}: ${viewer.extremes(numbers[panel])}.`).join(" ");
  const columns = shown.filter(panel => panel !== "map-change");
  const shares = columns.map(panel => viewer.ninths(numbers[panel]));
  viewer.rows("regions", ["", ...columns.map(panel => name[panel].toLowerCase())],
    NINTHS.map((ninth, at) => [ninth, ...shares.map(each => viewer.percent(each[at]))]));
  const scores = viewer.index.images[viewer.state.image].scores[viewer.state.condition][viewer.state.method];
  viewer.rows("measures", ["measure", "value"], viewer.index.measures.map((each, at) => [each, viewer.fixed(scores[at])]));
};

// Fill the body of a table.
viewer.rows = (id, header, rows) => {
  const cell = (kind, text) => Object.assign(document.createElement(kind), { textContent: text });
  const row = (kinds, texts) => {
    const line = document.createElement("tr");
    line.append(...texts.map((text, at) => cell(kinds(at), text)));
    return line;
  };
  document.querySelector(`#${id} tbody`).replaceChildren(
    row(at => header[at] ? "th" : "td", header), ...rows.map(texts => row(at => at ? "td" : "th", texts)));
};
