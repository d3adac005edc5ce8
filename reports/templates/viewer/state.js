"use strict";
// What is shown, and its place in the address; the images that pass the filter, in their order.
viewer.state = {};

const numberIn = (text, low, high, usual) => {
  const value = Number(text);
  return text !== null && text !== "" && Number.isFinite(value) ? Math.max(low, Math.min(high, value)) : usual;
};
const found = (place, usual) => place < 0 ? usual : place;

// Method and condition that a page without an address shows: the first attack on an explanation, of its own method.
viewer.first = () => {
  const { conditions, methods } = viewer.index;
  const attack = conditions.findIndex(each => each.against);
  const method = attack < 0 ? 0 : methods.findIndex(each => each.name === conditions[attack].against);
  return { condition: attack < 0 ? conditions.length - 1 : attack, method: Math.max(0, method) };
};

viewer.readAddress = () => {
  let given;
  try { given = new URLSearchParams(location.hash.slice(1)); } catch { given = new URLSearchParams(); }
  const { conditions, methods, images, classes, measures, height, width } = viewer.index, usual = viewer.first();
  const oneOf = (key, names, otherwise) => names.includes(given.get(key)) ? given.get(key) : otherwise;
  viewer.state = {
    method: found(methods.findIndex(each => each.name === given.get("method")), usual.method),
    condition: found(conditions.findIndex(each => each.id === given.get("condition")), usual.condition),
    family: oneOf("family", conditions.map(each => each.family), ""),
    class: found(classes.indexOf(given.get("class")), null),
    prediction: oneOf("prediction", ["kept", "changed"], ""),
    order: oneOf("order", ["worst", "best", "data"], "worst"),
    measure: found(measures.indexOf(given.get("by")), 0),
    overlay: given.get("overlay") === "1",
    mask: given.get("mask") === "1",
    own: given.get("own") === "1",
    zoom: numberIn(given.get("zoom"), 1, 32, 1),
    x: numberIn(given.get("x"), 0, 1, 0.5),
    y: numberIn(given.get("y"), 0, 1, 0.5),
    row: Math.round(numberIn(given.get("row"), 0, height - 1, -1)),
    column: Math.round(numberIn(given.get("column"), 0, width - 1, -1)),
  };
  viewer.state.image = found(images.findIndex(each => each.id === given.get("image")), viewer.listed()[0] ?? null);
};

viewer.address = () => {
  const { conditions, methods, images, classes, measures } = viewer.index, state = viewer.state;
  const said = {
    image: images[state.image]?.id, method: methods[state.method].name, condition: conditions[state.condition].id,
    family: state.family, class: classes[state.class], prediction: state.prediction,
    order: state.order === "worst" ? "" : state.order, by: state.measure ? measures[state.measure] : "",
    overlay: state.overlay ? "1" : "", mask: state.mask ? "1" : "", own: state.own ? "1" : "",
    ...(state.zoom > 1 ? { zoom: state.zoom.toFixed(2), x: state.x.toFixed(3), y: state.y.toFixed(3) } : {}),
    ...(state.row >= 0 && state.column >= 0 ? { row: state.row, column: state.column } : {}),
  };
  return `#${new URLSearchParams(Object.entries(said).filter(([, value]) => value !== "" && value !== undefined))}`;
};

// Browsers refuse many changes of the address in a short time.
viewer.writeAddress = () => {
  clearTimeout(viewer.writing);
  viewer.writing = setTimeout(() => history.replaceState(null, "", viewer.address()), 200);
};

viewer.score = image => viewer.index.images[image].scores[viewer.state.condition][viewer.state.method][viewer.state.measure];

viewer.isKept = (image, condition) => {
  const predictions = viewer.index.images[image].predictions;
  return predictions[0] && predictions[condition] ? predictions[0][0] === predictions[condition][0] : null;
};

// The numbers of the images that pass the filter, in the order that was chosen; those without a score come last.
viewer.listed = () => {
  const { state } = viewer, all = viewer.index.images.map((_, number) => number);
  const passing = all.filter(number => (state.class === null || viewer.index.images[number].label === state.class) &&
    (!state.prediction || viewer.isKept(number, state.condition) === (state.prediction === "kept")));
  if (state.order === "data") return passing;
  const sign = state.order === "worst" ? 1 : -1;
  const key = number => { const score = viewer.score(number); return typeof score === "number" ? sign * score : Infinity; };
  return passing.sort((one, other) => key(one) - key(other) || one - other);
};
