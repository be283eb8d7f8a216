'use strict';
// Versions 2.0 to 2.2 of the router store only match functions for a mount path. To find the
// parameters of a matched path, this module matches it again with each of them replaced; a template
// is valid if the router returns exactly the replacements. The number of templates per layer is
// limited, so that clients cannot create labels.

const TRIES_MAX = 128;
const TEMPLATES_MAX = 16; // per layer: optional parts create several
const PARAMETERS_MAX = 8;

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Returns all places of a value in a path, encoded or not: [start, end]. */
function places(path, value, from) {
  const found = [];
  const segments = value.split('/').length;
  for (let start = from; start < path.length && found.length < TRIES_MAX; start++) {
    for (const size of new Set([value.length, encodeURIComponent(value).length])) {
      const end = start + size;
      const raw = path.slice(start, end);
      if (end <= path.length && (raw === value || decoded(raw) === value)) found.push([start, end]);
    }
  }
  return segments > 0 ? found : [];
}

function probeOf(value, index) {
  return Array.isArray(value) ? [`djp${index}x`, `djp${index}y`] : `djp${index}z`;
}

function textOf(value) {
  return Array.isArray(value) ? value.join('/') : value;
}

/** Whether the layer returns the replacement of every parameter. */
function confirms(match, layer, path, probes) {
  const found = match(layer, path);
  if (found === null) return false;
  return probes.every(([name, probe]) => textOf(found.params[name]) === textOf(probe));
}

/** Tries the places of each parameter in turn; returns the template or null. */
function search(state, index, from, probePath, template) {
  const { entries, path, layer, match } = state;
  if (index === entries.length) {
    if (state.tries-- <= 0) return null;
    const whole = probePath + path.slice(from);
    return confirms(match, layer, whole, state.probes)
      ? template + literal(state, path.slice(from))
      : null;
  }
  const [name, value] = entries[index];
  for (const [start, end] of places(path, textOf(value), from)) {
    if (state.tries <= 0) return null;
    const before = path.slice(from, start);
    const shown = Array.isArray(value) ? `*${name}` : `:${name}`;
    const probe = textOf(state.probes[index][1]);
    const found = search(
      state,
      index + 1,
      end,
      probePath + before + probe,
      template + literal(state, before) + shown,
    );
    if (found !== null) return found;
  }
  return null;
}

/** Returns literal text: in one letter case if the router ignores case. */
function literal(state, text) {
  return state.sensitive ? text : text.toLowerCase();
}

function swapped(text) {
  const upper = text.toUpperCase();
  return upper === text ? text.toLowerCase() : upper;
}

/** Returns the template of a mount that matched `path` with `params`; null if it is unknown. */
function probed(layer, path, params, match) {
  const entries = Object.entries(params).filter(([, value]) => value !== undefined && value !== '');
  if (entries.length > PARAMETERS_MAX) return null;
  const sensitive = swapped(path) !== path && match(layer, swapped(path)) === null;
  const probes = entries.map(([name, value], index) => [name, probeOf(value, index)]);
  return search({ entries, path, layer, match, probes, sensitive, tries: TRIES_MAX }, 0, 0, '', '');
}

/** As above, with the cache of this layer. */
function learnt(info, layer, path, params, match) {
  const template = probed(layer, path, params, match);
  if (template === null || info.learnt.has(template)) return template;
  if (info.learnt.size >= TEMPLATES_MAX) return null;
  info.learnt.add(template);
  return template;
}

module.exports = { learnt };
