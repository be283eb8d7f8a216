'use strict';
// Options given in code become text in the form that their variables have, for the core's table of
// settings, which judges them. Reading an option never throws: one that cannot be read is a
// warning.

const TRUE = ['1', 'true', 'yes', 'on'];

function pairs(entries) {
  const texts = [];
  for (const [key, value] of entries) {
    if (value === undefined || value === null) continue;
    texts.push(`${quote(String(key))}=${quote(String(value))}`);
  }
  return texts.join(',');
}

/** Percent-encoding that also takes lone surrogates. */
function quote(text) {
  return encodeURIComponent(
    text.replace(
      /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
      '\ufffd',
    ),
  );
}

function entriesOf(value) {
  if (value instanceof Map) return value.entries();
  if (typeof Headers === 'function' && value instanceof Headers) return value.entries();
  return Object.entries(value);
}

/**
 * An option as text; undefined when it was not given or means nothing. between: what stands between
 * the items of a list in its variable.
 */
function optionText(value, between = ',') {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint')
    return String(value);
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, String).join(between);
  if (value instanceof URL) return value.href;
  if (typeof value === 'object' && !hasOwnText(value)) return pairs(entriesOf(value));
  return String(value);
}

function hasOwnText(value) {
  const text = value.toString;
  return (
    typeof text === 'function' && text !== Object.prototype.toString && !(value instanceof Map)
  );
}

/** serviceName and service_name are the same option. */
function keyword(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function readOne(given, key, warn) {
  try {
    return optionText(given[key], keyword(key) === 'tail_sampling_rules' ? ';' : ',');
  } catch (error) {
    warn(`The option ${key} could not be read (${nameOf(error)}) and was ignored.`);
    return undefined;
  }
}

/** The name of what was thrown, whatever it was. */
function nameOf(error) {
  try {
    return typeof error.name === 'string' ? error.name : typeof error;
  } catch {
    return typeof error;
  }
}

function keysOf(given, warn) {
  try {
    return given !== null && typeof given === 'object' ? Object.keys(given) : [];
  } catch (error) {
    warn(`The options could not be read (${nameOf(error)}) and were ignored.`);
    return [];
  }
}

/**
 * The options of `given` as keyword -> text. One that does not exist keeps its spelling, by which
 * the core names it.
 */
function readOptions(given, keywords, warn) {
  const known = new Set(keywords);
  const options = Object.create(null);
  for (const key of keysOf(given, warn)) {
    const name = keyword(key);
    const text = readOne(given, key, warn);
    if (text !== undefined) options[known.has(name) ? name : key] = text;
  }
  return options;
}

/**
 * Whether telemetry is asked for; only for what is said when the core, which decides, is not there.
 */
function wanted(given, environment) {
  try {
    const isOn = (value) => TRUE.includes(String(value).trim().toLowerCase());
    const own = environment.DJP_TELEMETRY_ENABLED || '';
    const disabled = /^\s*true\s*$/i.test(environment.OTEL_SDK_DISABLED || '');
    if (disabled && !isOn(own)) return false;
    let enabled = given && typeof given === 'object' ? given.enabled : undefined;
    if (enabled === undefined || enabled === null) {
      enabled = own || environment.TELEMETRY_ENABLED || environment.ENABLE_OBSERVABILITY || '';
    }
    return isOn(enabled);
  } catch {
    return false;
  }
}

module.exports = { nameOf, optionText, readOptions, wanted };
