'use strict';
// Converts options of init() into the text form of their variables, for the settings table of the
// core, which validates them. Never throws: an unreadable option is a warning.

const TRUE = ['1', 'true', 'yes', 'on'];

function pairs(entries) {
  const texts = [];
  for (const [key, value] of entries) {
    if (value === undefined || value === null) continue;
    texts.push(`${quote(String(key))}=${quote(String(value))}`);
  }
  return texts.join(',');
}

/** encodeURIComponent() that accepts lone surrogates. */
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
 * Returns an option as text; undefined if it is not given or empty. between: the separator of a
 * list in its variable.
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

/** Returns the snake_case name: serviceName and service_name are the same option. */
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

/** Returns the name of any thrown value. */
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
 * Returns the options as keyword -> text. An unknown option keeps its spelling, for the warning of
 * the core.
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
 * Whether the options enable telemetry. Only for the warning without a core, which otherwise
 * decides.
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
